//! stub
/// stub
pub struct Watch;
impl Watch {
    /// stub
    pub fn stop(self) {}
}
