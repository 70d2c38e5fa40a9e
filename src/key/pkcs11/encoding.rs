//! Pure: points and signatures as tokens encode them, and as X.509 does.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};

use super::super::point::POINT_BYTES;
use crate::error::{Error, Result};

/// OID prime256v1 in DER: `CKA_EC_PARAMS` of P-256 (RFC 5480 section 2.1.1.1).
pub(super) const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// Tag and length of a DER OCTET STRING around a point.
const WRAPPING: [u8; 2] = [0x04, 0x41];

/// A point from `CKA_EC_POINT`, which is a DER OCTET STRING (PKCS#11 2.40) or, on several tokens,
/// the plain point. The length decides: a plain point begins with 04 too, and one in 256 of them
/// would also read as an OCTET STRING.
pub(super) fn point(bytes: &[u8]) -> Result<[u8; POINT_BYTES]> {
    let plain = match bytes.strip_prefix(&WRAPPING) {
        Some(inner) if bytes.len() == POINT_BYTES + WRAPPING.len() => inner,
        _ => bytes,
    };
    <[u8; POINT_BYTES]>::try_from(plain)
        .ok()
        .filter(|point| VerifyingKey::from_sec1_bytes(point).is_ok())
        .ok_or_else(|| Error::token("the token's public key is no point on P-256"))
}

/// The value of `CKA_EC_POINT` for a new object.
pub(super) fn wrapped(point: &[u8; POINT_BYTES]) -> Vec<u8> {
    [&WRAPPING[..], point].concat()
}

/// A token's signature r‖s as a DER `Ecdsa-Sig-Value`, after checking it: a token that signs with
/// another key, or hashes once more, must not be found out by the backend.
pub(super) fn der_signature(raw: &[u8], hash: &[u8], point: &[u8; POINT_BYTES]) -> Result<Vec<u8>> {
    let signature = Signature::from_slice(raw)
        .map_err(|_| Error::token("the token's signature is no ECDSA signature on P-256"))?;
    VerifyingKey::from_sec1_bytes(point)
        .and_then(|key| key.verify_prehash(hash, &signature))
        .map_err(|_| Error::token("the token's signature is not one of its public key"))?;
    Ok(signature.to_der().as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::hazmat::PrehashSigner as _;
    use p256::elliptic_curve::Generate as _;
    use p256::elliptic_curve::sec1::ToSec1Point as _;
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn plain_point(key: &p256::SecretKey) -> [u8; POINT_BYTES] {
        let encoded = key.public_key().to_sec1_point(false);
        encoded.as_bytes().try_into().unwrap()
    }

    #[test]
    fn points_in_both_encodings() {
        let mut like_octet_string = 0;
        while like_octet_string < 1 {
            let plain = plain_point(&p256::SecretKey::try_generate().unwrap());
            assert_eq!(point(&plain).unwrap(), plain);
            assert_eq!(point(&wrapped(&plain)).unwrap(), plain);
            // 04 3f ...: the whole point also reads as an OCTET STRING of 63 bytes.
            like_octet_string += usize::from(plain[1] == 0x3f);
        }
    }

    #[test]
    fn what_is_no_point() {
        let plain = plain_point(&p256::SecretKey::try_generate().unwrap());
        assert!(point(&plain[..64]).is_err());
        assert!(point(&[]).is_err());
        assert!(point(&[4; 65]).is_err(), "not on the curve");
        let mut long = wrapped(&plain);
        long.push(0);
        assert!(point(&long).is_err());
    }

    #[test]
    fn signatures_with_leading_zeros_and_high_bits() {
        let key = p256::SecretKey::try_generate().unwrap();
        let point = plain_point(&key);
        let signer = SigningKey::from(&key);
        let (mut zeros, mut high) = (0, 0);
        for number in 0_u32.. {
            let hash = Sha256::digest(number.to_be_bytes());
            let signature: Signature = signer.sign_prehash(&hash).unwrap();
            let raw = signature.to_bytes();
            let der = der_signature(&raw, &hash, &point).unwrap();
            assert_eq!(Signature::from_der(&der).unwrap(), signature);
            zeros += usize::from(raw[0] == 0 || raw[32] == 0);
            high += usize::from(raw[0] >= 0x80);
            if zeros >= 2 && high >= 2 {
                break;
            }
        }
    }

    #[test]
    fn signatures_that_are_not_ours() {
        let key = p256::SecretKey::try_generate().unwrap();
        let other = p256::SecretKey::try_generate().unwrap();
        let hash = Sha256::digest(b"text");
        let signature: Signature = SigningKey::from(&other).sign_prehash(&hash).unwrap();
        let point = plain_point(&key);
        assert!(der_signature(&signature.to_bytes(), &hash, &point).is_err());
        assert!(der_signature(&[0; 64], &hash, &point).is_err());
        assert!(der_signature(&[1; 63], &hash, &point).is_err());
    }
}
