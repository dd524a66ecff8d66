//! What services answer: real shapes, made-up values, tokens as long as real ones.

use perennial_core::Response;

/// Who signs in.
pub const EMAIL: &str = "grower@example.com";

/// Navien's answer to a sign-in, as it comes over the wire.
pub const NAVIEN_BYTES: usize = 5_087;

/// Characters of tokens in [`navien_sign_in`].
pub const NAVIEN_TOKEN_BYTES: usize = 4_760;

/// An answer with this body, under HTTP 200.
pub fn response(body: &[u8]) -> Response {
    Response::new(body.to_vec().into())
}

/// Navien's answer to a sign-in: 5,087 bytes, 4,760 of them tokens.
pub fn navien_sign_in() -> Vec<u8> {
    let [id, access, refresh, session] = [jwt(1_100, 1), jwt(1_050, 2), jwt(1_650, 3), random(900, 4)];
    let body = format!(
        concat!(
            r#"{{"code":200,"msg":"SUCCESS","data":{{"#,
            r#""userInfo":{{"userType":"O","userFirstName":"Rosa","userLastName":"Ray","userStatus":"NORMAL","#,
            r#""userSeq":36001}},"legal":[],"token":{{"idToken":"{}","accessToken":"{}","refreshToken":"{}","#,
            r#""authenticationExpiresIn":3600,"accessKeyId":"ASIAMADEUPKEY0000001","#,
            r#""secretKey":"made/up+secret+key+of+forty+characters01","sessionToken":"{}","#,
            r#""authorizationExpiresIn":3600}}}}}}"#
        ),
        id, access, refresh, session
    );
    body.into_bytes()
}

/// Navien's answer to a refresh, with new AWS credentials in it.
pub fn navien_refresh() -> Vec<u8> {
    let [id, access, refresh, session] = [jwt(1_100, 5), jwt(1_050, 6), jwt(1_650, 7), random(900, 8)];
    let body = format!(
        concat!(
            r#"{{"code":200,"msg":"SUCCESS","data":{{"idToken":"{}","accessToken":"{}","refreshToken":"{}","#,
            r#""authenticationExpiresIn":3600,"accessKeyId":"ASIAMADEUPKEY0000002","#,
            r#""secretKey":"made/up+secret+key+of+forty+characters02","sessionToken":"{}","#,
            r#""authorizationExpiresIn":3600}}}}"#
        ),
        id, access, refresh, session
    );
    body.into_bytes()
}

/// What an OAuth token endpoint with JWTs answers.
pub fn oauth() -> Vec<u8> {
    let [access, id, refresh] = [jwt(850, 9), jwt(800, 10), random(64, 11)];
    let body = format!(
        concat!(
            r#"{{"access_token":"{}","id_token":"{}","refresh_token":"{}","token_type":"Bearer","#,
            r#""expires_in":3600,"scope":"openid profile email"}}"#
        ),
        access, id, refresh
    );
    body.into_bytes()
}

fn jwt(length: usize, seed: u64) -> String {
    let text = format!("{}.{}.{}", random(36, seed), random(length - 380, seed + 100), random(342, seed + 200));
    format!("ey{}", &text[2..])
}

/// Characters of base64url, the same ones for the same seed (xorshift64*).
fn random(length: usize, seed: u64) -> String {
    const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        char::from(CHARACTERS[(state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 58) as usize])
    };
    (0..length).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_are_as_long_as_they_say() {
        assert_eq!(navien_sign_in().len(), NAVIEN_BYTES);
        let tokens: usize = [1_100, 1_050, 1_650, 900, 20, 40].into_iter().sum();
        assert_eq!(tokens, NAVIEN_TOKEN_BYTES);
    }
}
