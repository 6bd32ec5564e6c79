//! Kakao's callback when somebody adds or blocks the channel.

use super::problem::Fault;
use super::shop::{Delivery, read};
use super::{BodyError, Limits, Parsed, Skip};
use gyul_model::{IdKind, Value, names};

/// Reads `{"event":"added","id":"1234567890","id_type":"app_user_id","channel_public_id":"_ZeUTxl","updated_at":"…"}`.
/// The delivery's id is `X-Kakao-Resource-ID`.
///
/// Whoever blocks the channel wants no advertisements in KakaoTalk; whoever adds it has not therefore agreed to them.
pub fn kakao(delivery: Delivery, body: &[u8], limits: &Limits) -> Result<Parsed, BodyError> {
    read("kakao", delivery, body, limits, |work, root| {
        let (event, relation) = match root.str("event").as_deref() {
            Some("added") => ("Channel Added", "added"),
            Some("blocked") => ("Channel Blocked", "blocked"),
            _ => return Ok(Some(Skip::Topic)),
        };
        // An id of OpenID Connect is another number than the app's for the same person.
        let open = root.str("id_type").as_deref() == Some("open_id");
        let id = root.str("id").map(|id| if open { format!("open:{}", id.trim()) } else { id.trim().to_string() });
        let mut who = work.who();
        who.add(IdKind::Kakao, id.as_deref(), "id")?;
        let who = who.finish("id")?;
        let ts = work.time(root, &["updated_at", "timestamp"])?;
        let mut p = work.props();
        p.set("channel", Value::text("kakao"))?;
        for (theirs, ours) in [
            ("plus_friend_public_id", "channel_public_id"),
            ("plus_friend_uuid", "channel_uuid"),
            ("channel_public_id", "channel_public_id"),
            ("channel_uuid", "channel_uuid"),
            ("path", "path"),
        ] {
            p.set_text(ours, root.str(theirs))?;
        }
        let mut told = work.props();
        told.set("kakao.relation", Value::text(relation))?;
        if relation == "blocked" {
            told.set(&format!("{}kakao", names::CONSENT), Value::Bool(false))?;
        }
        let message = match work.delivery.id {
            Some(resource) => work.id("channel", resource),
            None => work.id("channel", &format!("{relation}:{}:{}", who[0].value, ts.0)),
        };
        let mut events = super::segment::set(told);
        events.push((event.to_string(), p.out));
        work.say(message, &who, ts, events);
        Ok::<_, Fault>(None)
    })
}
