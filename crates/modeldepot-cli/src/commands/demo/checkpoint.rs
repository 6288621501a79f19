//! What the demo publishes: a ResNet-18 checkpoint for two classes with its optimizer state, in safetensors, and a
//! training history.
//!
//! Names, shapes and sizes are realistic; the values are made up, and both files say so.
//! moved, verified and looked at, not to classify.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

const NOTE: &str = "random weights, made by modeldepot demo";

/// Optimizer steps at the best epoch: 7 epochs of 18 batches.
const STEPS: i64 = 126;

const CLASSES: usize = 2;

/// The checkpoint that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The file's size.
    pub(crate) bytes: u64,
    /// The number of tensors, including the optimizer's.
    pub(crate) tensors: usize,
    /// The number of trainable parameters.
    pub(crate) parameters: u64,
}

/// Writes the checkpoint. The same seed gives the same bytes.
pub(crate) fn write(path: &Path, seed: u64) -> io::Result<Checkpoint> {
    let tensors = tensors();
    let header = header(&tensors);
    let mut file = BufWriter::with_capacity(CHUNK, File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    let mut seeds = SplitMix(seed);
    for tensor in &tensors {
        tensor.write(seeds.next(), &mut file)?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(Checkpoint {
        bytes: 8 + header.len() as u64 + tensors.iter().map(Tensor::bytes).sum::<u64>(),
        tensors: tensors.len(),
        parameters: parameters().iter().map(|parameter| parameter.elements() as u64).sum(),
    })
}

/// Writes [`history`], indented.
pub(crate) fn write_history(path: &Path, seed: u64) -> io::Result<()> {
    std::fs::write(path, format!("{:#}\n", history(seed)))
}

/// Returns a history of ten epochs, the seventh the best. There are 140 training and 40 validation images, so
/// accuracies are whole numbers of images.
pub(crate) fn history(seed: u64) -> Value {
    const BEST: usize = 6;
    const RIGHT_OF_140: [i32; 10] = [92, 113, 121, 126, 129, 131, 134, 135, 136, 137];
    const RIGHT_OF_40: [i32; 10] = [28, 33, 34, 36, 35, 37, 38, 37, 37, 36];
    const TRAIN_LOSS: [f64; 10] = [0.6248, 0.4417, 0.3385, 0.2696, 0.2207, 0.1655, 0.1324, 0.1173, 0.1018, 0.0942];
    const VAL_LOSS: [f64; 10] = [0.6631, 0.5902, 0.5478, 0.5153, 0.4981, 0.4806, 0.4722, 0.4859, 0.5017, 0.5164];

    // The other epochs vary with the seed but stay worse than the best.
    let mut random = SplitMix(seed);
    let mut luck = |epoch: usize| if epoch == BEST { 0.0 } else { (random.next() >> 40) as f64 / (1 << 24) as f64 };
    let rounded = |value: f64| (value * 1e4).round() / 1e4;
    let mut accuracy = |right: [i32; 10], images: f64| -> Vec<f64> {
        let right = right.into_iter().map(f64::from).enumerate();
        right.map(|(epoch, right)| rounded((right - (2.0 * luck(epoch)).floor()) / images)).collect()
    };
    let (train_acc, val_acc) = (accuracy(RIGHT_OF_140, 140.0), accuracy(RIGHT_OF_40, 40.0));
    let mut loss = |loss: [f64; 10]| -> Vec<f64> {
        loss.into_iter().enumerate().map(|(epoch, loss)| rounded(loss * (1.0 + 0.03 * luck(epoch)))).collect()
    };
    // Cosine decay.
    let rate = |epoch: u32| 5e-4 * (1.0 + (f64::from(epoch) * std::f64::consts::PI / 10.0).cos());
    json!({
        "note": "synthetic, made by modeldepot demo: no model was trained",
        "epoch": (1..=10).collect::<Vec<u32>>(),
        "lr": (0..10).map(rate).collect::<Vec<f64>>(),
        "train_loss": loss(TRAIN_LOSS),
        "train_acc": train_acc,
        "val_loss": loss(VAL_LOSS),
        "val_acc": val_acc,
        "best_epoch": BEST + 1,
        "num_epochs": RIGHT_OF_140.len(),
    })
}

struct Tensor {
    name: String,
    shape: Vec<usize>,
    fill: Fill,
}

/// The values of a tensor.
#[derive(Clone, Copy)]
enum Fill {
    /// Roughly normal around a mean.
    Normal { mean: f32, deviation: f32 },
    /// Roughly normal, without sign: for squares and variances.
    Magnitude { offset: f32, deviation: f32 },
    /// A step count, as in PyTorch's batch normalization.
    Integer(i64),
    /// A step count, as in PyTorch's optimizers.
    Constant(f32),
}

impl Tensor {
    fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>, fill: Fill) -> Tensor {
        Tensor { name: name.into(), shape: shape.into(), fill }
    }

    fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    fn is_integer(&self) -> bool {
        matches!(self.fill, Fill::Integer(_))
    }

    fn bytes(&self) -> u64 {
        (self.elements() * if self.is_integer() { 8 } else { 4 }) as u64
    }

    fn write(&self, seed: u64, to: &mut impl Write) -> io::Result<()> {
        let mut random = SplitMix(seed);
        match self.fill {
            Fill::Integer(value) => (0..self.elements()).try_for_each(|_| to.write_all(&value.to_le_bytes())),
            Fill::Constant(value) => write_floats(to, self.elements(), || value),
            Fill::Normal { mean, deviation } => {
                write_floats(to, self.elements(), || mean + deviation * random.normal())
            }
            Fill::Magnitude { offset, deviation } => {
                write_floats(to, self.elements(), || offset + deviation * random.normal().abs())
            }
        }
    }
}

const CHUNK: usize = 256 << 10;

fn write_floats(to: &mut impl Write, count: usize, mut next: impl FnMut() -> f32) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK.min(4 * count)];
    let mut left = 4 * count;
    while left > 0 {
        let bytes = &mut chunk[..left.min(CHUNK)];
        for float in bytes.as_chunks_mut::<4>().0 {
            *float = next().to_le_bytes();
        }
        to.write_all(bytes)?;
        left -= bytes.len();
    }
    Ok(())
}

/// Returns every tensor in the order of the file: integers before floats, so that each is aligned to its own size.
fn tensors() -> Vec<Tensor> {
    let mut tensors = model();
    for parameter in parameters() {
        let state = |kind: &str, shape: Vec<usize>, fill| {
            Tensor::new(format!("optimizer.{kind}.{}", parameter.name), shape, fill)
        };
        tensors.extend([
            state("exp_avg", parameter.shape.clone(), Fill::Normal { mean: 0.0, deviation: 1e-4 }),
            state("exp_avg_sq", parameter.shape.clone(), Fill::Magnitude { offset: 1e-10, deviation: 1e-7 }),
            state("step", Vec::new(), Fill::Constant(STEPS as f32)),
        ]);
    }
    tensors.sort_by_key(|tensor| !tensor.is_integer());
    tensors
}

/// Returns the trainable parameters: weights and biases.
fn parameters() -> Vec<Tensor> {
    let mut tensors = model();
    tensors.retain(|tensor| tensor.name.ends_with(".weight") || tensor.name.ends_with(".bias"));
    tensors
}

/// Returns the model's `state_dict`, with torchvision's names and order.
fn model() -> Vec<Tensor> {
    let mut tensors = Vec::new();
    convolution(&mut tensors, "conv1", 3, 64, 7);
    normalization(&mut tensors, "bn1", 64);
    let mut input = 64;
    for (layer, output) in [(1, 64), (2, 128), (3, 256), (4, 512)] {
        for block in 0..2 {
            let at = format!("layer{layer}.{block}");
            convolution(&mut tensors, &format!("{at}.conv1"), input, output, 3);
            normalization(&mut tensors, &format!("{at}.bn1"), output);
            convolution(&mut tensors, &format!("{at}.conv2"), output, output, 3);
            normalization(&mut tensors, &format!("{at}.bn2"), output);
            if input != output {
                convolution(&mut tensors, &format!("{at}.downsample.0"), input, output, 1);
                normalization(&mut tensors, &format!("{at}.downsample.1"), output);
            }
            input = output;
        }
    }
    let small = Fill::Normal { mean: 0.0, deviation: 0.025 };
    tensors.push(Tensor::new("fc.weight", [CLASSES, input], small));
    tensors.push(Tensor::new("fc.bias", [CLASSES], small));
    tensors
}

/// Adds a convolution with the deviation of torchvision's initialization (He, by outputs).
fn convolution(tensors: &mut Vec<Tensor>, name: &str, input: usize, output: usize, kernel: usize) {
    let deviation = (2.0 / (output * kernel * kernel) as f32).sqrt();
    let fill = Fill::Normal { mean: 0.0, deviation };
    tensors.push(Tensor::new(format!("{name}.weight"), [output, input, kernel, kernel], fill));
}

fn normalization(tensors: &mut Vec<Tensor>, name: &str, channels: usize) {
    let values = [
        ("weight", Fill::Normal { mean: 1.0, deviation: 0.05 }),
        ("bias", Fill::Normal { mean: 0.0, deviation: 0.05 }),
        ("running_mean", Fill::Normal { mean: 0.0, deviation: 0.2 }),
        ("running_var", Fill::Magnitude { offset: 0.5, deviation: 0.5 }),
    ];
    tensors.extend(values.map(|(value, fill)| Tensor::new(format!("{name}.{value}"), [channels], fill)));
    tensors.push(Tensor::new(format!("{name}.num_batches_tracked"), [], Fill::Integer(STEPS)));
}

/// Returns the header: JSON, padded with spaces so that the data begins at a multiple of eight.
fn header(tensors: &[Tensor]) -> Vec<u8> {
    let mut entries = Map::new();
    entries.insert("__metadata__".to_owned(), json!({"format": "pt", "note": NOTE}));
    let mut start = 0;
    for tensor in tensors {
        let end = start + tensor.bytes();
        let dtype = if tensor.is_integer() { "I64" } else { "F32" };
        let entry = json!({"dtype": dtype, "shape": tensor.shape, "data_offsets": [start, end]});
        entries.insert(tensor.name.clone(), entry);
        start = end;
    }
    let mut header = Value::Object(entries).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    header
}

/// Sebastiano Vigna's SplitMix64: one addition and a few shifts per number, and every seed works.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number with mean 0 and deviation 1, at most 3.5: the sum of four 16-bit numbers is close enough to
    /// normal.
    fn normal(&mut self) -> f32 {
        // A uniform number below 2^16 has the deviation 2^16 / √12, the sum of four has twice that.
        const DEVIATION: f32 = 65_536.0 / 1.732_050_8;
        const MEAN: i32 = 2 * 65_535;
        let bits = self.next();
        let sum = [bits, bits >> 16, bits >> 32, bits >> 48].map(|part| i32::from(part as u16)).iter().sum::<i32>();
        (sum - MEAN) as f32 / DEVIATION
    }
}

#[cfg(test)]
mod tests {
    use modeldepot::history::History;

    use super::*;

    #[test]
    fn tensors_are_those_of_torchvision() {
        let model = model();
        assert_eq!(model.len(), 122);
        let shape = |name: &str| model.iter().find(|tensor| tensor.name == name).map(|tensor| tensor.shape.clone());
        assert_eq!(shape("conv1.weight"), Some(vec![64, 3, 7, 7]));
        assert_eq!(shape("layer1.0.conv1.weight"), Some(vec![64, 64, 3, 3]));
        assert_eq!(shape("layer1.0.downsample.0.weight"), None);
        assert_eq!(shape("layer2.0.downsample.0.weight"), Some(vec![128, 64, 1, 1]));
        assert_eq!(shape("layer4.0.conv1.weight"), Some(vec![512, 256, 3, 3]));
        assert_eq!(shape("layer4.1.bn2.num_batches_tracked"), Some(vec![]));
        assert_eq!(shape("fc.weight"), Some(vec![2, 512]));
        assert_eq!(shape("fc.bias"), Some(vec![2]));
        // The parameter count of torchvision's resnet18(num_classes=2).
        assert_eq!(parameters().iter().map(Tensor::elements).sum::<usize>(), 11_177_538);
        assert_eq!(parameters().len(), 62);
        assert_eq!(tensors().len(), 122 + 3 * 62);
    }

    #[test]
    fn offsets_are_contiguous_and_aligned() {
        let tensors = tensors();
        let header = header(&tensors);
        assert_eq!(header.len() % 8, 0);
        let header: Map<String, Value> = serde_json::from_slice(&header).unwrap();
        assert_eq!(header.len(), tensors.len() + 1, "no two tensors have one name");
        assert_eq!(header["__metadata__"], json!({"format": "pt", "note": NOTE}));
        let mut end = 0;
        for tensor in header.values().skip(1) {
            let offsets: [u64; 2] = serde_json::from_value(tensor["data_offsets"].clone()).unwrap();
            let shape: Vec<u64> = serde_json::from_value(tensor["shape"].clone()).unwrap();
            let size = if tensor["dtype"] == "I64" { 8 } else { 4 };
            assert_eq!(offsets, [end, end + size * shape.iter().product::<u64>()]);
            assert_eq!(end % size, 0);
            end = offsets[1];
        }
    }

    #[test]
    fn the_file_is_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("best_model.safetensors");
        let written = write(&path, 7).unwrap();
        assert_eq!(written.bytes, path.metadata().unwrap().len());
        assert!((134_000_000..138_000_000).contains(&written.bytes), "{written:?}");
        assert_eq!((written.tensors, written.parameters), (308, 11_177_538));

        let file = std::fs::read(&path).unwrap();
        let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        let header: Map<String, Value> = serde_json::from_slice(&file[8..8 + length]).unwrap();
        let last = header.values().next_back().unwrap();
        assert_eq!(last["data_offsets"][1], json!(file.len() - 8 - length));
        let steps = &file[8 + length..][..8];
        assert_eq!(i64::from_le_bytes(steps.try_into().unwrap()), STEPS);
    }

    #[test]
    fn the_seed_decides_the_bytes() {
        let tensor = &parameters()[0];
        let bytes = |seed| {
            let mut bytes = Vec::new();
            tensor.write(seed, &mut bytes).unwrap();
            bytes
        };
        assert_eq!(bytes(1).len() as u64, tensor.bytes());
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }

    #[test]
    fn history_is_read_with_the_seventh_epoch_as_the_best() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("training_history.json");
        for seed in 0..100 {
            write_history(&path, seed).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let metadata = History::parse("training_history.json", &bytes).unwrap().metadata();
            let expected = json!({
                "best_epoch": 7,
                "train_accuracy": 0.9571,
                "val_accuracy": 0.95,
                "train_loss": 0.1324,
                "val_loss": 0.4722,
                "total_epochs": 10
            });
            assert_eq!(Value::Object(metadata), expected);
            assert!((900..1_300).contains(&bytes.len()), "{} bytes", bytes.len());
        }
        assert!(history(1)["note"].as_str().unwrap().contains("synthetic"));
        assert_eq!(history(1), history(1));
        assert_ne!(history(1), history(2));
    }

    #[test]
    fn weights_are_about_normal() {
        let mut random = SplitMix(1);
        let sample: Vec<f32> = (0..100_000).map(|_| random.normal()).collect();
        let mean = sample.iter().sum::<f32>() / sample.len() as f32;
        let variance = sample.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / sample.len() as f32;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
    }
}
