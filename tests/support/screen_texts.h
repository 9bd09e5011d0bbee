/* screen_texts.h - messages in which every field is set, for screens (tests/support/screens.h). */
#ifndef SAGA_TESTS_SCREEN_TEXTS_H
#define SAGA_TESTS_SCREEN_TEXTS_H

#define SAGA "9f03c1d2a4b7-2a"

/* A name of 200 letters: six of them are more than a line of text has room for. */
#define TEN  "abcdefghij"
#define LONG TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* A saga that could not be undone, and is stuck over it. */
#define STUCK_SAGA \
    "id:'" SAGA "' mode:ORCHESTRATED definition:'checkout' version:'1.2.0' state:STUCK paused:1 " \
    "reason:ACTION_REJECTED reason_step:'charge' stuck_reason:COMPENSATION_FAILED stuck_step:'reserve' " \
    "request_id:'r-1' started_at:-3725.5 ended_at:-5 deadline:600 resolved_by:'ben@ops' resolution:'paid back' " \
    "traceparent:'00-0af7-b7ad-01' input:'{}' input_json:'{\"n\": 1}' output:'abc' output_json:'\"abc\"' " \
    "reason_message:'no money' tags{name:'tenant' value:'acme'} tags{name:'shop' value:'7'} skips:2 owner:'uid:7' " \
    "lacks{kind:FALLBACK step:'score' as_of:-7200} lacks{kind:DEFERRED step:'mail'} answered:1 priority:HIGH " \
    "synthetic:1 " STUCK_STEPS
#define STUCK_STEPS \
    "steps{name:'reserve' action:DONE compensation:FAILED action_attempts:1 compensation_attempts:5 started_at:-3720 " \
    "waiting_for:'an operator' last_status:14 last_message:'gone away' output:'ok' output_json:'{}' target:'stock' " \
    "waits_until:300} " \
    "steps{name:'charge' action:REJECTED compensation:NONE action_attempts:2 last_status:9 last_message:'no money' " \
    "waiting_for:'the undo of later steps' target:'bank' output:'abc'} "

/* One that is under way, and has steps that wait for each thing that there is. */
#define RUNNING_SAGA \
    "id:'" SAGA "' definition:'checkout' version:'1.2.0' state:RUNNING started_at:-3725.5 deadline:600 " \
    "steps{name:'reserve' action:DONE compensation:OWED action_attempts:1 target:'stock'} " \
    "steps{name:'charge' action:STARTED action_attempts:1 waiting_for:'its next attempt' waits_until:12.5 " \
    "last_status:14 last_message:'gone away' target:'bank'} " \
    "steps{name:'pack' action:STARTED waiting_for:'target stock, whose breaker is open' target:'stock'} " \
    "steps{name:'mail' action:STARTED waiting_for:'target post, which cannot be reached' waits_until:60 " \
    "target:'post'} " \
    "steps{name:'ship' action:PENDING waiting_for:'step charge' target:'post'} "

/* One event of each type, in the order of their numbers; a second of each that says less or more. */
#define EVENTS \
    "timeline{cursor:'1' at:-3725.5 type:SAGA_STARTED saga_id:'" SAGA "' definition:'checkout'} " \
    "timeline{at:-3725 type:STEP_ENLISTED step:'reserve'} " \
    "timeline{at:-3724.5 type:ACTION_STARTED step:'reserve' attempt:1} " \
    "timeline{at:-3720 type:ACTION_ATTEMPT_FAILED step:'reserve' attempt:1 status:14 message:'gone' " \
    "next_attempt_at:-3718} " \
    "timeline{at:-3600 type:ACTION_ENDED step:'reserve' action:DONE status:2 message:'late' as_of:-3700} " \
    "timeline{at:-125 type:TURNED_BACK step:'charge' reason:ACTION_REJECTED actor:'anna' identity:'uid:7' " \
    "message:'no money'} " \
    "timeline{at:-100 type:COMPENSATION_STARTED step:'reserve' attempt:2 fault:DELAY} " \
    "timeline{at:-90 type:COMPENSATION_ATTEMPT_FAILED step:'reserve' attempt:2 status:4 next_attempt_at:-80} " \
    "timeline{at:-80 type:COMPENSATION_ENDED step:'reserve' compensation:FAILED status:13 message:'broken'} " \
    "timeline{at:-70 type:STUCK step:'reserve' reason:COMPENSATION_FAILED} " \
    "timeline{at:-60 type:PAUSED actor:'anna' message:'we look into it'} " \
    "timeline{at:-50 type:RESUMED identity:'uid:7'} " \
    "timeline{at:-40 type:RETRIED step:'reserve' actor:'anna'} " \
    "timeline{at:-30 type:SKIPPED step:'reserve' message:'by hand'} " \
    "timeline{at:-20 type:UNREACHED step:'charge' status:14 message:'no route' next_attempt_at:-10} " \
    "timeline{at:-15 type:REJECTED step:'charge'} timeline{at:-12 type:ANSWERED} " \
    "timeline{at:-5 type:ENDED state:RESOLVED actor:'ben' message:'paid back'} timeline{at:-4 type:99}"

#define RECENT "recent{count:90 refused:2 failed:9 mean:1.5 most:12} "
#define TARGETS \
    "targets{name:'bank' address:'10.0.0.1:50' calls:3 calls_max:8 waiting:5 unreachable:1 unreachable_for:95 " RECENT \
    "last_success:-125 last_failure:-30 last_failure_status:14 last_failure_message:'no route' " \
    "schema_compared_at:-600 schema_breaks:1 breaker{state:OPEN held:0 open_until:20 openings:3 calls:10 failed:6 " \
    "slow:2 opened_at:-40} rate_limit_per_second:50 max_pending_calls:100 deferred:2 waiting_undos:1 " \
    "waiting_retries:2 waiting_for:4.25 retry_budget_percent:20 retries_left:3.5 quickest:0.125 attempts:400 " \
    "attempts_failed:40} " \
    "targets{name:'stock' address:'unix:stock.sock' calls:1 calls_max:4} "

/* What a loop counts, in every field. */
#define LOOP \
    "version:'0.9.1' live:12 compensating:2 stuck:3 paused:1 oldest_live:-7300 calls:4 calls_waiting:2 definitions:5 " \
    "journal_bytes:5000000 journal_bytes_max:9000000 volume_free_bytes:70000000000 journal_full:1 " TARGETS \
    "sagas_started:100 sagas_turned_back:10 sagas_ended:90 sagas_became_stuck:3 attempts:400 attempts_failed:40 " \
    "recent_sagas{count:90 refused:2 failed:9 mean:1.5 most:12} " \
    "failing_steps{definition:'checkout' step:'charge' count:7 last:-60 last_status:14 last_message:'no route'} " \
    "failing_steps{definition:'refund' step:'pay' compensation:1 count:9 last:-30 last_status:4} " \
    "journal_since:-864000 answered:2 definition_limits{definition:'checkout' live:8 live_max:20 " \
    "starts_per_second:5} synthetics{definition:'probe' every:30 committed:100 failed:1 missed:2 last_success:-45 " \
    "last_saga:'" SAGA "' last_state:COMPENSATED last_trouble:'charge was slow' last_took:0.75} synthetics_live:1 " \
    "synthetics_stuck:1 holds{definition:'old' actor:'anna@ops' reason:'it is broken' since:-600} " \
    "dead_letters{definition:'checkout' count:3 oldest:-5000} journal_reusable_bytes:200000 journal_stalled:1 " \
    "certificate_expires:90000 "

/* A second loop, which knows less, and two journals that were taken over. */
#define OTHER_LOOPS \
    "loops{loop:1 live:3 volume_free_bytes:60000000000 oldest_live:-60 targets{name:'bank' calls:2 calls_max:8 " \
    "waiting:1 recent{count:10 mean:0.5 most:2} last_success:-5 last_failure:-500 breaker{state:HALF_OPEN calls:2} " \
    "quickest:0.25 waiting_for:2} definition_limits{definition:'checkout' live:1 live_max:20} " \
    "recent_sagas{count:10 mean:2.5 most:4}} " \
    "loops{journal:'shop-b' live:7 compensating:1 stuck:2 paused:1 oldest_live:-300} " \
    "loops{journal:'shop-a' live:5 stuck:2}"

#endif
