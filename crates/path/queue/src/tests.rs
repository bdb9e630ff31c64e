pub(crate) fn crash_if_poisoned(job: &path_ledger::Job) {
    assert!(job.envelope.subject != "poison", "a poisoned message");
}
