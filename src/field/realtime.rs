/// Asks for real-time priority for the calling thread: SCHED_FIFO with a priority of 1 to 99. Those of this program lie above
/// everything ordinary and below the kernel's own interrupt threads (50).
///
/// # Errors
/// The permission is missing (`CAP_SYS_NICE`, or `LimitRTPRIO=` in the unit); the thread stays as it is.
pub fn real_time(priority: u8) -> Result<(), String> {
    use thread_priority::{
        RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
        thread_native_id,
    };
    let priority = priority.try_into().map(ThreadPriority::Crossplatform)?;
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), priority, policy).map_err(|e| format!("{e:?}"))
}
