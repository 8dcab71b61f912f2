//! The client against demo backends in this process; more is in `tests/client`.

use super::*;

fn assert_shared<T: Send + Sync>() {}

#[test]
fn threads_may_share_it_and_send_what_it_returns() {
    assert_shared::<Client>();
    assert_shared::<Response>();
    assert_shared::<Error>();
}
