//! .
fn main() -> anyhow::Result<()> {
    enforcer::kernel::object::probe()
}
