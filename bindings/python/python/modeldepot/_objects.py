"""Saves Python objects as versions and loads them again, in the file formats of the usual libraries.

A library is imported when it is needed, never before.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import io
import os
import pickle
import re
import sys
import tempfile
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Callable, Optional, Union

from ._errors import InvalidError

if TYPE_CHECKING:
    from ._modeldepot import FileReader, ModelStorage, Published

Path = Union[str, "os.PathLike[str]"]

TRUST = "if you trust everyone who can write to the bucket, pass allow_pickle=True; safetensors and skops need none"

# Earlier versions could be made to run code despite `weights_only=True` (CVE-2025-32434); before 1.13 it did not exist.
FIRST_SAFE_TORCH = (2, 6)

ENDINGS = {
    "safetensors": ".safetensors",
    "torch": ".pth",
    "skops": ".skops",
    "joblib": ".joblib",
    "onnx": ".onnx",
}


# Types that skops does not know and that cannot run code: plain Python objects that hold numbers. Trees, k-d trees and
# boosters are not among them, because their libraries do not check their contents.
HARMLESS = frozenset(
    f"{module}.{name}"
    for module, names in {
        "collections": ("OrderedDict",),
        "numpy": ("dtype", "max", "mean", "median", "min"),
        "sklearn.calibration": ("_CalibratedClassifier", "_SigmoidCalibration"),
        "sklearn.feature_selection._univariate_selection": ("chi2", "f_classif", "f_regression"),
        "sklearn.gaussian_process._gpc": ("_BinaryGaussianProcessClassifierLaplace",),
        "sklearn.gaussian_process.kernels": (
            "CompoundKernel",
            "ConstantKernel",
            "DotProduct",
            "ExpSineSquared",
            "Exponentiation",
            "Matern",
            "Product",
            "RBF",
            "RationalQuadratic",
            "Sum",
            "WhiteKernel",
        ),
        "sklearn.impute._iterative": ("IterativeImputer", "_ImputerTriplet"),
        "sklearn.neural_network._stochastic_optimizers": ("AdamOptimizer", "SGDOptimizer"),
    }.items()
    for name in names
)


def save(
    storage: ModelStorage,
    obj: Any,
    name: str,
    *,
    format: Optional[str],
    file_name: Optional[str],
    version: Any,
    trusted: Optional[Sequence[str]],
    **options: Any,
) -> Published:
    """Writes an object to a file in memory in its format, and publishes it."""
    chosen, name, version = choose(obj, name, format, version)
    with memory_file() as (file, path):
        write(obj, chosen, file, trusted)
        # An object in memory is not on disk, so another process cannot resume its push.
        return storage.upload_model(
            path, name, version, file_name=file_name_of(chosen, file_name), resume=False, **options
        )


def choose(obj: Any, name: str, format: Optional[str], version: Any) -> tuple[str, str, Any]:
    """Returns the format of an object, and the model and version in a name."""
    chosen = format or format_of(obj)
    if chosen not in ENDINGS:
        raise InvalidError(f"`{chosen}` is not a format", f"the formats are {', '.join(ENDINGS)}")
    if "@" in name:
        if version is not None:
            raise InvalidError(f"`{name}` names a version, and `version` is given too", "give one of them")
        name, version = name.split("@", 1)
    return chosen, name, version


def file_name_of(format: str, given: Optional[str]) -> str:
    return given or f"model{ENDINGS[format]}"


def write(obj: Any, format: str, file: BinaryIO, trusted: Optional[Sequence[str]] = None) -> None:
    """Writes an object in a format."""
    if format == "skops":
        write_skops(obj, file, trusted)
    else:
        WRITERS[format](obj, file)
    file.flush()


def load(
    reader: FileReader,
    *,
    allow_pickle: bool,
    framework: Optional[str],
    device: str,
    trusted: Optional[Sequence[str]],
    progress: Any,
) -> Any:
    """Reads a file and returns the saved object."""
    ending = os.path.splitext(reader.path)[1].lower()
    if framework not in (None, "torch", "numpy"):
        raise InvalidError(f"`{framework}` is not a framework", "use torch or numpy")
    loaders: dict[str, Callable[[bytes], Any]] = {
        ".safetensors": lambda data: load_safetensors(data, framework, device),
        ".skops": lambda data: load_skops(data, reader.path, trusted),
        ".onnx": lambda data: needed("onnx").load_model_from_string(data),
        ".npy": lambda data: needed("numpy").load(io.BytesIO(data), allow_pickle=allow_pickle),
        ".npz": lambda data: dict(needed("numpy").load(io.BytesIO(data), allow_pickle=allow_pickle)),
    }
    checkpoints = (".pth", ".pt", ".bin")
    pickles: dict[str, Callable[[bytes], Any]] = {
        ".joblib": lambda data: needed("joblib").load(io.BytesIO(data)),
        ".pkl": lambda data: needed("pickle").loads(data),
    }
    if ending in checkpoints:
        torch = torch_for(reader.path, allow_pickle)
        return load_torch(torch, reader.read(progress=progress), reader.path, device, allow_pickle)
    loader = loaders.get(ending) or pickles.get(ending)
    if loader is None:
        known = ", ".join([*loaders, *checkpoints, *pickles])
        raise InvalidError(
            f"`{reader.path}` is of no known format",
            f"use open() for its bytes, or download_model() for the file; known are {known}",
        )
    if ending in pickles and not allow_pickle:
        raise InvalidError(f"`{reader.path}` is a pickle, which can run arbitrary code of its author", TRUST)
    return loader(reader.read(progress=progress))


def format_of(obj: Any) -> str:
    """Returns the format of an object. Only loaded libraries are considered, because only those can have created it."""
    if is_of(obj, "onnx", "ModelProto"):
        return "onnx"
    if is_of(obj, "torch.nn", "Module"):
        return "safetensors" if installed("safetensors") else "torch"
    if isinstance(obj, dict) and obj and all(isinstance(key, str) for key in obj):
        tensors = all(is_of(value, "torch", "Tensor") for value in obj.values())
        arrays = all(is_of(value, "numpy", "ndarray") or is_of(value, "numpy", "generic") for value in obj.values())
        if arrays or (tensors and installed("safetensors")):
            return "safetensors"
        if any(is_of(value, "torch", "Tensor") for value in obj.values()):
            return "torch"
    if is_of(obj, "sklearn.base", "BaseEstimator"):
        return "skops" if installed("skops") else "joblib"
    kind = f"{type(obj).__module__}.{type(obj).__qualname__}"
    raise InvalidError(
        f"no format is known for an object of type `{kind}`",
        'name one: format="joblib" takes any object, as a pickle; or write a file and publish that',
    )


def is_of(obj: Any, module: str, name: str) -> bool:
    """Returns whether an object is of a class, without importing the class's library."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(obj, getattr(loaded, name))


def installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def needed(module: str) -> Any:
    """Imports a library, or raises an error that says it is needed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        package = {"sklearn": "scikit-learn"}.get(package, package)
        raise InvalidError(
            f"this needs `{package}`, which cannot be imported", f"`pip install {package}`", [str(error)]
        ) from error


def write_safetensors(obj: Any, file: BinaryIO) -> None:
    if is_of(obj, "torch.nn", "Module"):
        obj = obj.state_dict()
    try:
        if any(is_of(value, "torch", "Tensor") for value in obj.values()):
            # Tensors that are views or share memory cannot be written as they are.
            tensors = {name: tensor.contiguous() for name, tensor in obj.items()}
            data = needed("safetensors.torch").save(tensors)
        else:
            numpy = needed("numpy")
            # `ascontiguousarray` would turn a zero-dimensional array into a one-dimensional one.
            arrays = {name: numpy.asarray(array, order="C") for name, array in obj.items()}
            data = needed("safetensors.numpy").save(arrays)
    except InvalidError:
        raise
    except Exception as error:
        # Unsupported types, or tensors that share memory.
        instead = 'convert them, or pass format="torch" or format="joblib"'
        raise InvalidError("safetensors cannot hold these tensors", instead, [visible(str(error))]) from error
    file.write(data)


def write_torch(obj: Any, file: BinaryIO) -> None:
    if is_of(obj, "torch.nn", "Module"):
        obj = obj.state_dict()
    needed("torch").save(obj, file)


def write_skops(obj: Any, file: BinaryIO, trusted: Optional[Sequence[str]]) -> None:
    skops = needed("skops.io")
    kind = f"{type(obj).__module__}.{type(obj).__qualname__}"
    instead = 'or pass format="joblib", a pickle that `load` takes with allow_pickle=True'
    try:
        data = skops.dumps(obj)
        untrusted = unknown_types(skops, data, trusted)
    except Exception as error:
        # Raised for anything it cannot write, with various types.
        raise InvalidError(f"skops cannot write `{kind}`", instead[3:], [visible(str(error))]) from error
    if untrusted:
        listed = ", ".join(f"`{name}`" for name in untrusted)
        raise InvalidError(
            f"`{kind}` holds types that skops does not trust, so `load` would refuse it: {listed}",
            f"pass trusted={sorted({*untrusted, *(trusted or ())})} here and to `load`, {instead}",
        )
    file.write(data)


def load_skops(data: bytes, path: str, trusted: Optional[Sequence[str]]) -> Any:
    skops = needed("skops.io")
    untrusted = unknown_types(skops, data, trusted)
    if untrusted:
        listed = ", ".join(f"`{visible(name)}`" for name in untrusted)
        everything = [visible(name) for name in sorted({*untrusted, *(trusted or ())})]
        raise InvalidError(
            f"`{visible(path)}` holds types that skops does not trust: {listed}",
            f"if you trust everyone who can write to the bucket, pass trusted={everything}",
        )
    return skops.loads(data, trusted=sorted({*HARMLESS, *(trusted or ())}))


def unknown_types(skops: Any, data: bytes, trusted: Optional[Sequence[str]]) -> list[str]:
    """Returns the types in a file that are not trusted."""
    return sorted(set(skops.get_untrusted_types(data=data)) - HARMLESS - set(trusted or ()))


def write_joblib(obj: Any, file: BinaryIO) -> None:
    needed("joblib").dump(obj, file)


def write_onnx(obj: Any, file: BinaryIO) -> None:
    file.write(obj.SerializeToString())


WRITERS: dict[str, Callable[[Any, BinaryIO], None]] = {
    "safetensors": write_safetensors,
    "torch": write_torch,
    "joblib": write_joblib,
    "onnx": write_onnx,
}


def load_safetensors(data: bytes, framework: Optional[str], device: str) -> Any:
    if framework == "torch" or (framework is None and installed("torch")):
        tensors = needed("safetensors.torch").load(data)
        return {name: tensor.to(device) for name, tensor in tensors.items()} if device != "cpu" else tensors
    safetensors = needed("safetensors.numpy")
    try:
        return safetensors.load(data)
    except KeyError:
        # The file has a type that NumPy lacks.
        return load_extended(data)


def load_extended(data: bytes) -> Any:
    """Loads arrays with the types of ml_dtypes."""
    numpy, ml_dtypes = needed("numpy"), needed("ml_dtypes")
    arrays = {}
    for name, spec in needed("safetensors").deserialize(data):
        kind = NUMPY.get(spec["dtype"])
        if kind is None:
            raise InvalidError(
                f"`{visible(name)}` is of the type {visible(spec['dtype'])}, which NumPy does not have",
                'pass framework="torch"',
            )
        dtype = numpy.dtype(getattr(ml_dtypes, kind) if hasattr(ml_dtypes, kind) else kind)
        arrays[name] = numpy.frombuffer(spec["data"], dtype=dtype).reshape(spec["shape"])
    return arrays


# The names in safetensors of the types that NumPy gets from ml_dtypes.
NUMPY = {
    "BOOL": "bool",
    "I8": "int8",
    "U8": "uint8",
    "I16": "<i2",
    "U16": "<u2",
    "I32": "<i4",
    "U32": "<u4",
    "I64": "<i8",
    "U64": "<u8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}


def torch_for(path: str, allow_pickle: bool) -> Any:
    """Returns PyTorch, if it can load a file without running code or is allowed to run it."""
    torch = needed("torch")
    if allow_pickle or loads_weights_only(torch):
        return torch
    raise InvalidError(
        f"this PyTorch ({visible(str(torch.__version__))}) cannot load `{visible(path)}` without running code that its "
        "writer may have put into it",
        "update PyTorch to 2.6 or newer; or, if you trust everyone who can write to the bucket, pass allow_pickle=True",
    )


def loads_weights_only(torch: Any) -> bool:
    """Returns whether this PyTorch can be restricted to tensors and plain values."""
    numbers = re.match(r"(\d+)\.(\d+)", str(getattr(torch, "__version__", "")))
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= FIRST_SAFE_TORCH


def load_torch(torch: Any, data: bytes, path: str, device: str, allow_pickle: bool) -> Any:
    """Loads tensors and plain values; anything that runs code only if allowed."""
    if loads_weights_only(torch):
        try:
            return torch.load(io.BytesIO(data), map_location=device, weights_only=True)
        except (pickle.UnpicklingError, RuntimeError) as error:
            # Any other failure, such as a missing device, is not about the check.
            if not is_refused(error):
                raise
            if not allow_pickle:
                first = str(error).strip().splitlines()[:1]
                raise InvalidError(
                    f"`{visible(path)}` holds more than tensors and plain values: loading it runs code that its "
                    "writer put into it",
                    TRUST,
                    [visible(line) for line in first],
                ) from None
    # Before 1.13 there was no such argument, and no check.
    checks = "weights_only" in inspect.signature(torch.load).parameters
    options = {"weights_only": False} if checks else {}
    return torch.load(io.BytesIO(data), map_location=device, **options)


def is_refused(error: Exception) -> bool:
    """Returns whether PyTorch refused to run code; the error differs between pickles and TorchScript."""
    return isinstance(error, pickle.UnpicklingError) or "weights_only" in str(error)


def visible(text: str) -> str:
    """Makes untrusted text safe for a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextlib.contextmanager
def memory_file() -> Generator[tuple[BinaryIO, str], None, None]:
    """Opens a file in memory if the system supports it (Linux), else in the folder for temporary files.

    Yields it with a path under which it can be opened again while it is open.
    """
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        with os.fdopen(os.memfd_create("modeldepot"), "w+b") as file:
            yield file, f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.TemporaryDirectory(prefix="modeldepot-") as folder:
            path = os.path.join(folder, "object")
            with open(path, "w+b") as file:
                yield file, path
