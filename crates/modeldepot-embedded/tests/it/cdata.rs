//! XML with CDATA sections, which the protocol layer would drop.

use crate::browsers::md5_of;
use crate::client::Client;
use crate::serve::{blocking, running};
use crate::versions::{id, set};

fn refused(client: &Client, method: &str, target: &str, xml: &str) {
    let answer = client.send(method, target, &[("content-md5", &md5_of(xml))], xml.as_bytes());
    assert_eq!((answer.status, answer.code()), (400, "MalformedXML".into()), "{target}: {}", answer.text());
    assert!(answer.text().contains("CDATA"), "{}", answer.text());
}

#[tokio::test]
async fn a_cdata_section_is_refused_and_not_passed_over() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        set(&client, "models", "Enabled");
        let old = id(&client.put("/models/k", b"old"));
        client.put("/models/k", b"new");
        // Each of these would do something other than it says: expire the whole bucket, delete the current version.
        let rule = "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix><![CDATA[logs/]]>\
                    </Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
        refused(&client, "PUT", "/models?lifecycle=", rule);
        assert_eq!(client.get("/models?lifecycle=").code(), "NoSuchLifecycleConfiguration");
        let delete = format!("<Delete><Object><Key>k</Key><VersionId><![CDATA[{old}]]></VersionId></Object></Delete>");
        refused(&client, "POST", "/models?delete=", &delete);
        assert_eq!(client.get("/models/k").body, b"new");
        let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b<![CDATA[c]]></Value></Tag></TagSet></Tagging>";
        refused(&client, "PUT", "/models/k?tagging=", tags);
        refused(&client, "PUT", "/models?tagging=", tags);
        assert!(!client.get("/models/k?tagging=").text().contains("<Key>"));
        let plain = tags.replace("<![CDATA[c]]>", "c");
        assert_eq!(client.send("PUT", "/models/k?tagging=", &[], plain.as_bytes()).status, 200);
        // Its digest is verified, as for every document.
        let other = client.send("PUT", "/models/k?tagging=", &[("content-md5", &md5_of("other"))], plain.as_bytes());
        assert_eq!((other.status, other.code()), (400, "BadDigest".into()));
        // A longer one is refused as well.
        let long = [plain.as_bytes(), &vec![b' '; 9 << 20]].concat();
        assert_eq!(client.send("PUT", "/models/k?tagging=", &[], &long).code(), "MaxMessageLengthExceeded");
        // An object may contain anything.
        assert_eq!(client.put("/models/xml", tags.as_bytes()).status, 200);
        assert_eq!(client.get("/models/xml").body, tags.as_bytes());
    })
    .await;
}
