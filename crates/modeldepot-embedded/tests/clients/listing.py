from common import BUCKET, keys, refused, run, s3

NAMES = sorted([f"dir{n % 50:02}/file{n:04}" for n in range(2500)])


def two_thousand_five_hundred_keys():
    for name in NAMES:
        s3.put_object(Bucket=BUCKET, Key=name, Body=b"")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET))
    assert [len(page["Contents"]) for page in pages] == [1000, 1000, 500]
    assert [page["KeyCount"] for page in pages] == [1000, 1000, 500]
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == NAMES
    entry = pages[0]["Contents"][0]
    assert entry["ETag"] == '"d41d8cd98f00b204e9800998ecf8427e"' and entry["Size"] == 0, entry
    pages = list(s3.get_paginator("list_objects").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 700}))
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == NAMES and len(pages) == 4


def prefixes_and_delimiters():
    page = s3.list_objects_v2(Bucket=BUCKET, Delimiter="/")
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == [f"dir{n:02}/" for n in range(50)]
    assert page["KeyCount"] == 50 and not page["IsTruncated"] and "Contents" not in page
    for version in ["list_objects_v2", "list_objects"]:
        pages = s3.get_paginator(version).paginate(Bucket=BUCKET, Delimiter="/", PaginationConfig={"PageSize": 7})
        found = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        assert found == [f"dir{n:02}/" for n in range(50)], (version, found)
    page = s3.list_objects_v2(Bucket=BUCKET, Prefix="dir07/", Delimiter="/")
    assert [entry["Key"] for entry in page["Contents"]] == [name for name in NAMES if name.startswith("dir07/")]
    assert "CommonPrefixes" not in page
    page = s3.list_objects_v2(Bucket=BUCKET, Prefix="dir0", Delimiter="/")
    assert len(page["CommonPrefixes"]) == 10
    assert keys(Prefix="nothing") == []


def starts_and_limits():
    assert keys(StartAfter=NAMES[9], MaxKeys=2) == NAMES[10:12]
    page = s3.list_objects_v2(Bucket=BUCKET, MaxKeys=0)
    assert page["KeyCount"] == 0 and not page["IsTruncated"], page
    assert len(keys(MaxKeys=5000)) == 1000
    page = s3.list_objects_v2(Bucket=BUCKET, StartAfter="dir48/", Delimiter="/")
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["dir49/"], page
    page = s3.list_objects(Bucket=BUCKET, Marker="dir48/", Delimiter="/")
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["dir49/"], page
    refused(400, "InvalidArgument", s3.list_objects_v2, Bucket=BUCKET, ContinuationToken="nonsense")
    owner = s3.list_objects_v2(Bucket=BUCKET, MaxKeys=1, FetchOwner=True)["Contents"][0]["Owner"]
    assert owner["ID"] and "Owner" not in s3.list_objects_v2(Bucket=BUCKET, MaxKeys=1)["Contents"][0]


def names_that_xml_cannot_spell():
    # One that XML cannot write at all is refused; boto3 asks for listings in the spelling of URLs, and sees the others.
    refused(400, "InvalidArgument", s3.put_object, Bucket=BUCKET, Key="odd/\x01\x02", Body=b"")
    odd = ["odd/\r\n\t", "odd/a b+c%20&<>", "odd/ü\U0001f980"]
    for name in odd:
        s3.put_object(Bucket=BUCKET, Key=name, Body=b"")
    assert keys(Prefix="odd/") == sorted(odd, key=lambda name: name.encode())
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": name} for name in odd[1:]]})
    assert len(answer["Deleted"]) == 2
    s3.delete_object(Bucket=BUCKET, Key=odd[0])
    assert keys(Prefix="odd/") == []


run(two_thousand_five_hundred_keys, prefixes_and_delimiters, starts_and_limits, names_that_xml_cannot_spell)
