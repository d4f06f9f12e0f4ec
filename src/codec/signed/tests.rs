//! Signatures that hold, attacks that must not, and who is believed.

use super::testing::{
    Authority, DS, ENVELOPED, EXCLUSIVE, Form, NODE, Town, for_servers, noon, package, policy, town,
};
use super::{Policy, Trust, verify};
use crate::model::{Class, Failure};
use rcgen::{KeyUsagePurpose, date_time_ymd};

fn check(document: &str, town: &Town) -> Result<Vec<u8>, Failure> {
    verify(document.as_bytes(), &policy(), &town.authority.trust(), noon())
}

fn code(result: Result<Vec<u8>, Failure>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(failure) => failure.code.code,
    }
}

fn good(town: &Town) -> String {
    package(NODE, &town.signer.sign(NODE, &Form::default()))
}

#[test]
fn what_is_signed_comes_back_and_nothing_else() {
    let town = town();
    assert_eq!(check(&good(&town), &town).unwrap(), NODE.as_bytes());
}

#[test]
fn the_bytes_that_come_back_are_canonical_however_the_document_is_written() {
    let town = town();
    let signature = town.signer.sign(NODE, &Form::default());
    // Other quotes, white space in tags, a prefix from above that nobody uses, references.
    let written =
        "<application\n  Id = 'a1' ><name>&#x8a66;験　太郎</name ><sum>5&#38;7</sum></application>";
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<package xmlns=\"urn:t\" xmlns:o=\"urn:o\">\n  \
         {written}\n{signature}</package>\n"
    );
    assert_eq!(check(&document, &town).unwrap(), NODE.as_bytes());
}

#[test]
fn an_enveloped_signature_is_left_out_of_what_comes_back() {
    let town = town();
    let form =
        Form { transforms: vec![ENVELOPED.to_owned(), EXCLUSIVE.to_owned()], ..Form::default() };
    let signature = town.signer.sign(NODE, &form);
    let document = NODE.replace("</application>", &format!("{signature}</application>"));
    let policy = Policy { path: vec!["application".to_owned()], ..policy() };
    let trust = town.authority.trust();
    assert_eq!(verify(document.as_bytes(), &policy, &trust, noon()).unwrap(), NODE.as_bytes());
    // The transform without such a signature, and the signature without it.
    assert_eq!(code(check(&package(NODE, &signature), &town)), "G854");
    let plain = town.signer.sign(NODE, &Form::default());
    let document = NODE.replace("</application>", &format!("{plain}</application>"));
    assert_eq!(code(verify(document.as_bytes(), &policy, &trust, noon())), "G854");
}

/// Each is refused, with the code of its kind.
#[test]
#[allow(clippy::too_many_lines)]
fn wrapping_and_other_attacks_are_refused() {
    let town = town();
    let good = good(&town);
    let signature = town.signer.sign(NODE, &Form::default());
    let forged = NODE.replace("太郎", "花子");
    let other_id = forged.replace("a1", "b2");
    let swap = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let with = |change: &dyn Fn(&mut Form)| {
        let mut form = Form::default();
        change(&mut form);
        package(NODE, &town.signer.sign(NODE, &form))
    };
    let foreign = Authority::new("よその認証局").issue(7, |_| {});
    let reference = Form::default().reference(NODE);
    let cases: Vec<(&str, &str, String)> = vec![
        ("the content is altered", "G852", swap("太郎", "花子")),
        ("an attribute is added", "G852", swap("<name>", "<name x=\"1\">")),
        ("an element is added", "G852", swap("</sum>", "</sum><sum>9</sum>")),
        ("the digest is made to fit", "G852", {
            let fitting = Form::default().reference(&forged);
            good.replacen(NODE, &forged, 1).replacen(&reference, &fitting, 1)
        }),
        ("stripped", "G851", package(NODE, "")),
        (
            "only an empty shell is left",
            "G854",
            package(NODE, &format!("<Signature xmlns=\"{DS}\"/>")),
        ),
        ("the signed element has moved aside", "G853", {
            format!("<package xmlns=\"urn:t\">{other_id}<old>{NODE}</old>{signature}</package>")
        }),
        ("the signed element stands in the forged one", "G853", {
            let nested = other_id.replace("</application>", &format!("{NODE}</application>"));
            package(&nested, &signature)
        }),
        ("the signed element stands in the signature", "G854", {
            let object = format!("<Object>{NODE}</Object></Signature>");
            package(&other_id, &signature.replace("</Signature>", &object))
        }),
        (
            "two elements of the name, forged first",
            "G853",
            package(&format!("{other_id}{NODE}"), &signature),
        ),
        (
            "two elements of the name, forged last",
            "G853",
            package(&format!("{NODE}{other_id}"), &signature),
        ),
        ("the same id twice", "G853", {
            package(&forged.replace("<name>", "<name Id=\"a1\">"), &signature)
        }),
        ("the same id twice, as xml:id", "G853", {
            package(&forged.replace("<name>", "<name xml:id=\"a1\">"), &signature)
        }),
        ("the signature in a wrapped element", "G851", {
            package(&format!("{NODE}<x>{signature}</x>"), "")
        }),
        ("the whole package in another one", "G851", {
            format!("<package xmlns=\"urn:t\">{other_id}{good}</package>")
        }),
        (
            "another root",
            "G853",
            good.replace("<package", "<bundle").replace("</package", "</bundle"),
        ),
        (
            "the element in another namespace",
            "G853",
            swap("<application xmlns=\"urn:t\"", "<application xmlns=\"urn:u\""),
        ),
        ("an unsigned brother", "G853", package(&format!("{NODE}<note>x</note>"), &signature)),
        ("unsigned text beside", "G853", package(&format!("{NODE}x"), &signature)),
        ("two signatures", "G853", package(NODE, &format!("{signature}{signature}"))),
        ("a signature in the signed element too", "G853", {
            package(&NODE.replace("<name>", &format!("{signature}<name>")), &signature)
        }),
        ("the reference to another id", "G853", with(&|form| form.uri = "#b2".to_owned())),
        ("a reference to the whole document", "G854", with(&|form| form.uri = String::new())),
        (
            "a reference to the outside",
            "G854",
            with(&|form| form.uri = "http://localhost/x".to_owned()),
        ),
        ("a reference to a file", "G854", with(&|form| form.uri = "file:///etc/passwd".to_owned())),
        (
            "a reference by XPointer",
            "G854",
            with(&|form| form.uri = "#xpointer(id('a1'))".to_owned()),
        ),
        ("no reference at all", "G854", with(&|form| form.references = Some(String::new()))),
        ("two references", "G854", with(&|form| form.references = Some(reference.repeat(2)))),
        (
            "a transform by XSLT",
            "G854",
            with(&|form| {
                form.transforms = vec!["http://www.w3.org/TR/1999/REC-xslt-19991116".to_owned()];
            }),
        ),
        (
            "a transform by XPath",
            "G854",
            with(&|form| {
                form.transforms
                    .insert(0, "http://www.w3.org/TR/1999/REC-xpath-19991116".to_owned());
            }),
        ),
        (
            "canonicalization that keeps comments",
            "G854",
            with(&|form| {
                form.canonicalization = format!("{EXCLUSIVE}WithComments");
            }),
        ),
        ("SHA-1 for the digest", "G854", with(&|form| form.digest_method = format!("{DS}sha1"))),
        ("SHA-1 for the signature", "G854", with(&|form| form.method = format!("{DS}rsa-sha1"))),
        (
            "HMAC with the public key",
            "G854",
            with(&|form| {
                form.method = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256".to_owned();
            }),
        ),
        (
            "HMAC cut to nothing",
            "G854",
            swap(
                "ecdsa-sha256\"></SignatureMethod>",
                "hmac-sha256\"><HMACOutputLength>0</HMACOutputLength></SignatureMethod>",
            ),
        ),
        (
            "an algorithm of another kind than the key",
            "G854",
            with(&|form| {
                form.method = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256".to_owned();
            }),
        ),
        ("no algorithm", "G854", with(&|form| form.method = String::new())),
        (
            "the key of a stranger",
            "G855",
            package(&forged, &foreign.sign(&forged, &Form::default())),
        ),
        (
            "a bare key beside the certificate",
            "G854",
            swap("<X509Data>", "<KeyValue><RSAKeyValue></RSAKeyValue></KeyValue><X509Data>"),
        ),
        (
            "a key that is to be fetched",
            "G854",
            swap(
                "<X509Data>",
                "<RetrievalMethod URI=\"http://localhost/k\"></RetrievalMethod><X509Data>",
            ),
        ),
        ("no key", "G854", {
            let (start, end) = (good.find("<X509Cert").unwrap(), good.find("</X509Data>").unwrap());
            format!("{}{}", &good[..start], &good[end..])
        }),
        ("another's certificate before the signer's", "G852", {
            let own = town.signer.sign(NODE, &Form::default());
            let theirs = foreign.sign(NODE, &Form::default());
            let part = |text: &str| {
                let (start, end) =
                    (text.find("<X509Certificate>").unwrap(), text.find("</X509Data>").unwrap());
                text[start..end].to_owned()
            };
            let both = format!("{}{}", part(&theirs), part(&own));
            package(NODE, &own.replace(&part(&own), &both))
        }),
        ("a signature value of zeros", "G854", {
            let (start, end) = (
                good.find("<SignatureValue>").unwrap() + 16,
                good.find("</SignatureValue>").unwrap(),
            );
            format!("{}{}{}", &good[..start], "A".repeat(86) + "==", &good[end..])
        }),
        ("a comment that cuts a text", "G859", swap("太郎", "太<!-- -->郎")),
        ("CDATA", "G859", swap("太郎", "<![CDATA[太郎]]>")),
        ("a processing instruction", "G859", swap("<name>", "<?x y?><name>")),
        ("a document type with an entity", "G859", {
            format!("<!DOCTYPE p [<!ENTITY e \"太郎\">]>{}", swap("太郎", "&e;"))
        }),
        ("a document type that declares ids", "G859", {
            format!("<!DOCTYPE p [<!ATTLIST name x ID #IMPLIED>]>{good}")
        }),
        (
            "an attribute of an unknown kind in the reference",
            "G854",
            swap("<Reference ", "<Reference Type=\"http://www.w3.org/2000/09/xmldsig#Object\" "),
        ),
        ("cut off", "G859", good[..good.len() - 10].to_owned()),
        ("not XML", "G859", "{}".to_owned()),
        ("nothing", "G859", String::new()),
    ];
    assert!(cases.len() > 40);
    let mut wrong = Vec::new();
    for (what, expected, document) in cases {
        let result = check(&document, &town);
        let shown = result.as_ref().err().map(|failure| failure.detail.clone());
        let found = code(result);
        if found != expected {
            wrong.push(format!("{what}: {found} instead of {expected} ({shown:?})"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_default_namespace_above_is_part_of_what_was_signed() {
    let town = town();
    let signature = town.signer.sign(NODE, &Form::default());
    // The same letters, in another namespace: the digest is over names with their namespaces.
    let document = package(&NODE.replace("<name>", "<name xmlns=\"urn:u\">"), &signature);
    assert_eq!(code(check(&document, &town)), "G852");
}

fn believed(town: &Town, lists: &[Vec<u8>]) -> Result<Vec<u8>, Failure> {
    let trust = Trust::new(std::slice::from_ref(&town.authority.der), lists).unwrap();
    verify(good(town).as_bytes(), &policy(), &trust, noon())
}

#[test]
fn a_revoked_certificate_is_not_believed() {
    let town = town();
    let list = |until, revoked: &[u64]| town.authority.list(until, revoked);
    assert_eq!(code(believed(&town, &[list(30, &[8])])), "ok");
    assert_eq!(code(believed(&town, &[list(30, &[7])])), "G857");
}

#[test]
fn without_a_list_in_force_it_waits() {
    let town = town();
    let other = Authority::new("よその認証局").list(30, &[]);
    for lists in [vec![town.authority.list(2, &[])], vec![other], vec![]] {
        let failure = believed(&town, &lists).unwrap_err();
        assert_eq!((failure.code.code, failure.class), ("G858", Class::TryAgain));
    }
    // A list that is signed by somebody else under the authority's name says nothing either.
    let namesake = Authority::new("試験認証局").list(30, &[]);
    assert_eq!(code(believed(&town, &[namesake])), "G858");
}

#[test]
fn a_certificate_counts_for_its_time_and_its_purpose() {
    let authority = Authority::new("試験認証局");
    let outcome = |change: &dyn Fn(&mut rcgen::CertificateParams)| {
        let signer = authority.issue(9, change);
        let document = package(NODE, &signer.sign(NODE, &Form::default()));
        code(verify(document.as_bytes(), &policy(), &authority.trust(), noon()))
    };
    assert_eq!(outcome(&|_| {}), "ok");
    assert_eq!(outcome(&|params| params.not_after = date_time_ymd(2026, 6, 3)), "G856");
    assert_eq!(outcome(&|params| params.not_before = date_time_ymd(2026, 6, 4)), "G856");
    let without = |params: &mut rcgen::CertificateParams| params.key_usages.clear();
    assert_eq!(outcome(&without), "G855");
    let agree = |params: &mut rcgen::CertificateParams| {
        params.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    };
    assert_eq!(outcome(&agree), "G855");
    assert_eq!(outcome(&for_servers), "G855");
}

#[test]
fn an_authority_below_a_trusted_one_is_believed_with_its_own_list() {
    let root = Authority::new("試験ルート認証局");
    let below = root.below("試験中間認証局");
    let signer = below.issue(9, |_| {});
    let signature = signer.sign_with(NODE, &Form::default(), &[&below.der]);
    let document = package(NODE, &signature);
    let outcome = |lists: &[Vec<u8>]| {
        let trust = Trust::new(std::slice::from_ref(&root.der), lists).unwrap();
        code(verify(document.as_bytes(), &policy(), &trust, noon()))
    };
    assert_eq!(outcome(&[root.list(30, &[]), below.list(30, &[])]), "ok");
    assert_eq!(outcome(&[root.list(30, &[])]), "G858");
    // Without the certificate between them there is no way to the root.
    let alone = package(NODE, &signer.sign(NODE, &Form::default()));
    let trust = Trust::new(std::slice::from_ref(&root.der), &[root.list(30, &[])]).unwrap();
    assert_eq!(code(verify(alone.as_bytes(), &policy(), &trust, noon())), "G855");
    // Somebody's own certificate is no authority.
    let issued = root.issue(10, |_| {});
    let fake = Authority::new("にせ認証局");
    let forged = fake.issue(11, |_| {}).sign_with(NODE, &Form::default(), &[&issued.certificate]);
    assert_eq!(code(verify(package(NODE, &forged).as_bytes(), &policy(), &trust, noon())), "G855");
}

#[test]
fn no_text_of_the_document_is_in_a_failure() {
    let town = town();
    for document in [
        good(&town).replace("太郎", "花子"),
        good(&town).replace("<X509Data>", "<Himitsu>himitsu</Himitsu><X509Data>"),
        good(&town).replace("ecdsa-sha256", "himitsu"),
        good(&town).replace("</name>", "</himitsu>"),
    ] {
        let failure = check(&document, &town).unwrap_err();
        assert!(!failure.detail.to_lowercase().contains("himitsu"), "{}", failure.detail);
        assert!(!failure.detail.contains("花子"), "{}", failure.detail);
    }
}

/// Signatures made by another implementation, over everything that canonical XML rewrites.
#[test]
fn documents_signed_by_xmlsec1_hold_until_one_letter_changes() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/signature");
    let read = |name: &str| std::fs::read(format!("{corpus}/{name}")).unwrap();
    let authority = String::from_utf8(read("authority.pem")).unwrap();
    let trust = Trust::read(&authority, &[read("list.crl")]).unwrap();
    let at = "2027-01-01T00:00:00Z".parse().unwrap();
    let mut wrong = Vec::new();
    for name in
        ["exclusive-beside", "exclusive-in", "inclusive-beside", "inclusive-in", "mixed", "ecdsa"]
    {
        let document = String::from_utf8(read(&format!("{name}.xml"))).unwrap();
        let check = |document: &str| verify(document.as_bytes(), &policy(), &trust, at);
        match check(&document) {
            Err(failure) => wrong.push(format!("{name}: {} {}", failure.code, failure.detail)),
            Ok(bytes) => {
                let text = String::from_utf8(bytes).unwrap();
                assert!(text.contains("試験　太郎&#xD; &amp; &gt;") && !text.contains("Signature"));
            }
        }
        assert_eq!(code(check(&document.replace("太郎", "次郎"))), "G852", "{name}");
        assert_eq!(code(check(&document.replace("urn:q", "urn:r"))), "G852", "{name}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
