//! The names of events that have a meaning, in the spellings that SDKs and plug-ins use.

use gyul_model::names;
use std::borrow::Cow;

pub(crate) const PAGE: &str = "Page Viewed";
pub(crate) const SCREEN: &str = "Screen Viewed";
pub(crate) const CANCELLED: &str = "Order Cancelled";

/// Segment's e-commerce events v2, each with the names of v1 and others that mean it; compared without case and separators.
#[rustfmt::skip]
const EVENTS: &[(&str, &[&str])] = &[
    (names::ORDER, &["completedorder"]),
    (names::REFUND, &["refundedorder"]),
    (CANCELLED, &["ordercanceled", "cancelledorder", "canceledorder"]),
    (names::VIEW, &["viewedproduct"]),
    (names::CART, &["addedproduct"]),
    (names::SEARCH, &["searchedproducts"]),
    (names::CHECKOUT, &["startedcheckout"]),
    ("Product Removed", &["removedproduct"]),
    ("Product Clicked", &["clickedproduct"]),
    ("Product List Viewed", &["viewedproductlist", "viewedproductcategory", "productcategoryviewed"]),
    ("Product List Filtered", &[]),
    ("Promotion Viewed", &["viewedpromotion"]),
    ("Promotion Clicked", &["clickedpromotion"]),
    ("Cart Viewed", &["viewedcart"]),
    ("Checkout Step Viewed", &["viewedcheckoutstep"]),
    ("Checkout Step Completed", &["completedcheckoutstep"]),
    ("Payment Info Entered", &[]),
    ("Order Updated", &["updatedorder"]),
    ("Coupon Entered", &[]),
    ("Coupon Applied", &[]),
    ("Coupon Denied", &[]),
    ("Coupon Removed", &[]),
    ("Product Added to Wishlist", &[]),
    ("Product Removed from Wishlist", &[]),
    ("Wishlist Product Added to Cart", &[]),
    ("Product Shared", &["sharedproduct"]),
    ("Cart Shared", &[]),
    ("Product Reviewed", &["reviewedproduct"]),
    (names::ITEM, &[]),
    (names::ITEM_REFUND, &[]),
    (names::SENT, &[]),
    (names::OPENED, &[]),
    (names::CLICKED, &[]),
    ("Signed Up", &[]),
    ("Signed In", &[]),
    (PAGE, &["viewedpage"]),
    (SCREEN, &["viewedscreen"]),
];

/// Segment's events of e-mail tools: ours say the channel in a property.
const EMAILS: [(&str, &str); 7] = [
    ("Email Sent", names::SENT),
    ("Email Delivered", "Message Delivered"),
    ("Email Opened", names::OPENED),
    ("Email Link Clicked", names::CLICKED),
    ("Email Clicked", names::CLICKED),
    ("Email Bounced", "Message Failed"),
    ("Email Marked as Spam", "Message Marked as Spam"),
];

/// What an event of an e-mail tool is called whatever the channel.
pub(crate) fn email(name: &str) -> Option<&'static str> {
    name.starts_with("Email ").then(|| EMAILS.iter().find(|(n, _)| *n == name).map(|(_, ours)| *ours))?
}

/// The longest normalised name that means something, and more.
const KEY_MAX: usize = 40;

/// The event's name in the spelling of the specification; one's own names as they are.
pub(crate) fn event(name: &str) -> Cow<'_, str> {
    if EVENTS.iter().any(|(n, _)| *n == name) {
        return Cow::Borrowed(name);
    }
    let (mut key, mut n) = ([0_u8; KEY_MAX], 0);
    for b in name.bytes() {
        if matches!(b, b' ' | b'_' | b'-') {
            continue;
        }
        if n == KEY_MAX || !b.is_ascii() {
            return Cow::Borrowed(name);
        }
        key[n] = b.to_ascii_lowercase();
        n += 1;
    }
    let key = &key[..n];
    let is = |canonical: &str| {
        let letters = canonical.bytes().filter(|b| *b != b' ').map(|b| b.to_ascii_lowercase());
        canonical.len() <= KEY_MAX && letters.eq(key.iter().copied())
    };
    let found = EVENTS.iter().find(|(n, others)| others.iter().any(|o| o.as_bytes() == key) || is(n));
    found.map_or(Cow::Borrowed(name), |(n, _)| Cow::Borrowed(*n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_and_other_spellings_mean_the_events_of_the_specification() {
        for (found, want) in [
            ("Completed Order", "Order Completed"),
            ("order_completed", "Order Completed"),
            ("orderCompleted", "Order Completed"),
            ("Viewed Product", "Product Viewed"),
            ("Added Product", "Product Added"),
            ("Order Canceled", "Order Cancelled"),
            ("product added to wishlist", "Product Added to Wishlist"),
            ("Order Completed!", "Order Completed!"),
            ("주문 완료", "주문 완료"),
            ("Quiz Finished", "Quiz Finished"),
        ] {
            assert_eq!(event(found), want);
        }
    }
}
