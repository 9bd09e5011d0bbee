/* What the engine answers to each request of services and people whose fields are at, and over, their bounds, in the states in which these say something.
 * It is kept in tests/fixtures/engine/requests.txt; `build/release/tests/unit/test_engine_requests_table write` writes that anew, for its difference to be
 * read. */
#include "tests/support/engine_histories.h"
#include "tests/support/kept_text.h"

static const char path[] = "tests/fixtures/engine/requests.txt";

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static const struct history cases[] = {
    {"what starts a saga", chain, 8, .lines = "",
     "start id=*128\nstart id=*129\nstart id=\nstart r1 trace=*64\nstart r1 trace=*65\nstart r1 trace=" TRACE
     "\nstart r1 trace=bad\nstart r1 deadline=-1\nstart r1 deadline=3600000\nstart r1 deadline=3600001\nstart r1 "
     "lease=-1\n"
     "start r1 lease=3600000\nstart r1 lease=3600001\nstart r1 in=*64\nstart r1 in=*65\nstart r1 in=**\nstart r1 "
     "room=journal\n"
     "start r1 room=memory\nstart r1 room=held\nstart r1 priority=high\nstart r1 priority=low\nstart r1 version=1.0.0\n"
     "start r1 synthetic=yes\nstart r1 who=ann scoped=yes\nstart r1 tags=x\ncancel 0\ncancel 1 tag=2"},
    {"what starts it again", chain, 8, .lines = "start r1 who=ann\nat 10",
     "start r1 who=ann\nstart r1 who=eve\nstart r1 who=eve scoped=yes\nstart r1 who=ann scoped=yes\nstart r1 "
     "scoped=yes\n"
     "start r1 in=other\nstart r1 deadline=7\nstart r1 lease=7\nstart r1 version=1.0.0\nstart r1 priority=low\nstart "
     "r1 synthetic=yes\n"
     "start r1 trace=" TRACE
     "\nstart r1 room=journal\nstart r1 room=held\nstart r2 room=held\nstart r1 trace=bad\nstart r2\nbegin r1\n"
     "cancel 1 tag=2\ncancel 2\ncancel 1 actor=**\ncancel 1 actor=*128\ncancel 1 actor=*129\ncancel 1 "
     "reason=**\ncancel 1 reason=*256\n"
     "cancel 1 reason=*257\npause 1 actor=**\npause 1 reason=**\nresume 1 actor=**\nretry 1 actor=**\nretry 1 x\nskip "
     "1 a actor=**\n"
     "skip 1 a reason=**\nskip 1 x\nreject 1 a actor=**\nreject 1 a reason=**\nreject 1 x\nresolve 1 actor=**\nresolve "
     "1 reason=**\n"
     "trip t\ntrip x\ntrip t actor=**\ntrip t reason=**\nhold-open u\nhold-open u actor=*129\nreset u\nbreaker "
     "t\ncancel 1 who=ann\n"
     "pause 1 who=ann"},
    {"what starts it again while it is there with others", chain, 8,
     .lines = "start r1 who=ann scoped=yes\nstart r1 who=bob scoped=yes in=b\nstart r1 scoped=yes in=c\nstart r2 "
              "who=cem\nstart r3",
     "start r1 who=ann scoped=yes\nstart r1 who=bob scoped=yes in=b\nstart r1 who=eve scoped=yes in=c\nstart r2 "
     "who=bob scoped=yes\n"
     "start r2\nstart r3\nstart r4\nstart r4 in=*65\nstart r4 room=held\nbegin r4\nbegin r3"},
    {"how much of its deadline a start leaves to each step", hasty, 8, .lines = "",
     "start r1 deadline=4000\nstart r1 deadline=4001\nstart r1 deadline=3999\nstart r1"},
    {"whose targets are not there", computing, 8,
     .lines = "set u places=0 barrier=yes pending=3 crowd=4 adaptive=yes rate=1 budget=5",
     "start r1 in=x\nstart r1 in=u\nset u places=1\ncrash gone=u\nhold-open u\ntrip u"},
    {"whose definition is bound", chain, 8, .lines = "limit d live=2 starts=1\nstart r1\nat 100",
     "start r2\nstart r1\nlimit d live=1\nlimit other live=1\nat 1000\nstart r2 in=*65"},
    {"whose definition has as many as may live", chain, 8,
     .lines = "limit d live=1\nstart r1\nat 1500\nanswer 1 a NOT_FOUND\nstart r2\nat 1900\nanswer 2 a NOT_FOUND\nstart "
              "r3\nat 2000",
     "start r4\nrelease 1\ncrash"},
    {"whose definition is bound no more", chain, 8, .lines = "limit d live=1\nstart r1\nlimit other live=1",
     "start r2"},
    {"that find no place, after some have ended", chain, 8,
     .lines = "start r1\nat 1000\nanswer 1 a NOT_FOUND\nstart r2\nat 1600\nanswer 2 a NOT_FOUND\nstart r3\nstart "
              "r4\nstart r5\nat 1700",
     "start r6\nbegin r6\nstart r3\nrelease 1"},
    {"that find no place after a crash", chain, 8,
     .lines = "start r1\nat 1000\nanswer 1 a NOT_FOUND\nstart r2\nat 1600\nanswer 2 a NOT_FOUND\nstart r3\nstart "
              "r4\nstart r5\ncrash",
     "start r6\nbegin r6"},
    {"that find no place, and nothing has ended for long", NULL, 8,
     .lines = "begin r1\nat 1000\ncommit 1\nrelease 1\nbegin r2\nat 1600\ncommit 2\nrelease 2\nbegin r3\nbegin "
              "r4\nbegin r5\n"
              "begin r6\nbegin r7\nat 9000\ncrash\ncommit 3\nat 9400\ncommit 4",
     "begin r8"},
    {"what computes", computing, 8, .lines = "",
     "start r1 in=bad\nstart r1 in=damaged\nstart r1 in=**\nstart r1 in=x tags=sku=x\nstart r1 in=x\nstart r1 "
     "in=lost\nstart r1 in=err"},
    {"how many instances", looping, 8, .lines = "",
     "start r1 in=wxyz\nstart r1 in=xyz\nstart r1 in=xy\nstart r1 in=damaged"},

    {"what begins a saga", NULL, 8, .lines = "",
     "begin r1 id=*128\nbegin r1 id=*129\nbegin r1 name=**\nbegin r1 name=*128\nbegin r1 name=*129\nbegin r1 name=a/b\n"
     "begin r1 deadline=-1\nbegin r1 deadline=3600000\nbegin r1 deadline=3600001\nbegin r1 lease=-1\nbegin r1 "
     "lease=3600000\n"
     "begin r1 lease=3600001\nbegin r1 trace=" TRACE
     " who=ann\nbegin r1 trace=bad\nbegin r1 room=journal\nbegin r1 room=memory\n"
     "begin r1 room=held\nbegin r1 enlist=*64\nbegin r1 enlist=*65\nbegin r1 enlist=\nbegin r1 enlist=a/b\nbegin r1 "
     "enlist=a undo=no\n"
     "begin r1 enlist=a,b,a/ undo=no\nbegin r1 enlist=a target=x\nbegin r1 enlist=a,b target=u method=/p.S/Other\n"
     "begin r1 enlist=a method=bad\nbegin r1 enlist=a sends=*64\nbegin r1 enlist=a sends=*65\nbegin r1 enlist=a "
     "timeout=-1\n"
     "begin r1 enlist=a timeout=3600000\nbegin r1 enlist=a timeout=3600001\nbegin r1 enlist=a tries=1001 backoff=5\n"
     "begin r1 enlist=a tries=1000 backoff=5\nbegin r1 enlist=a tries=2 backoff=0\nbegin r1 enlist=a tries=0 "
     "backoff=9\n"
     "begin r1 enlist=a,b,c,d,e,f,g,h,i,j,k,l\nbegin r1 enlist=a,b,c,d,e,f,g,h,i,j,k,l,m\nbegin r1 enlist=a,a"},
    {"what begins it again", NULL, 8, .lines = "begin r1 who=ann enlist=a lease=2000\nat 700",
     "begin r1 who=ann enlist=a lease=2000\nbegin r1 who=eve enlist=a lease=2000\nbegin r1 who=eve scoped=yes enlist=a "
     "lease=2000\n"
     "begin r1 lease=2000\nbegin r1 enlist=b lease=2000\nbegin r1 enlist=a lease=2000 undo=no\nbegin r1 enlist=a "
     "lease=2000 target=u\n"
     "begin r1 enlist=a lease=2000 method=/p.S/O\nbegin r1 enlist=a lease=2000 sends=x\nbegin r1 enlist=a lease=2000 "
     "timeout=5\n"
     "begin r1 enlist=a lease=2000 tries=5 backoff=9\nbegin r1 enlist=a lease=2001\nbegin r1 enlist=a lease=2000 "
     "name=other\nstart r1"},
    {"what begins it again once it has turned back", NULL, 8,
     .lines = "begin r1 enlist=a method=/p.S/Undone\nabort 1\nat 5",
     "begin r1 enlist=a method=/p.S/Undone\nbegin r1\nenlist 1 enlist=a\nenlist 1\ncommit 1\nabort 1\nabort 1 "
     "settle=a:UNKNOWN\nabort 1 "
     "settle=a:DONE\n"
     "abort 1 settle=x:DONE\nkeepalive 1\nbegin r2 name=n"},
    {"what begins it again once it is refused", NULL, 8,
     .lines = "begin r1 enlist=a,b\nenlist 1 settle=b:REJECTED\nat 5",
     "begin r1 enlist=a,b\nbegin r1 enlist=a\nbegin r2 enlist=a,b\nenlist 1 enlist=a\nenlist 1 enlist=b\nenlist 1 "
     "enlist=a,b\n"
     "enlist 1 settle=a:REJECTED enlist=a\nenlist 1 settle=a:DONE enlist=a"},
    {"what is enlisted and settled", NULL, 8,
     .lines = "begin r1 enlist=a,b who=ann\nenlist 1 settle=a:DONE out=A\nat 40",
     "enlist 1\nenlist 1 settle=x:DONE\nenlist 1 settle=b:PENDING\nenlist 1 settle=b:STARTED\nenlist 1 "
     "settle=b:SKIPPED\n"
     "enlist 1 settle=b:DONE out=*64 as_request=yes who=bob\nenlist 1 settle=b:DONE out=*65\nenlist 1 settle=b:DONE "
     "may_run=5\n"
     "enlist 1 settle=b:UNKNOWN may_run=-1\nenlist 1 settle=b:UNKNOWN may_run=3600000 who=ann\nenlist 1 "
     "settle=b:UNKNOWN may_run=3600001\n"
     "enlist 1 settle=b:REJECTED\nenlist 1 settle=a:DONE\nenlist 1 settle=a:REJECTED\nenlist 1 settle=b:DONE,b:DONE\n"
     "enlist 1 settle=b:DONE,b:UNKNOWN\nenlist 1 settle=b:DONE,a:UNKNOWN\nenlist 1 settle=b:DONE enlist=c "
     "who=bob\nenlist 1 enlist=a\n"
     "enlist 1 enlist=a method=/p.S/O\nenlist 1 enlist=a undo=no\nenlist 1 enlist=a tries=9 backoff=9\nenlist 1 "
     "enlist=a timeout=9\n"
     "enlist 1 enlist=c,d,e,f,g,h,i,j,k,l\nenlist 1 enlist=c,d,e,f,g,h,i,j,k,l,m\nenlist 1 enlist=c,d,e,f,g\nenlist 1 "
     "enlist=c,c\n"
     "enlist 1 enlist=c room=journal\nenlist 1 settle=b:DONE room=memory\nenlist 1 enlist=c room=held\nenlist 1 "
     "enlist=c target=x\n"
     "enlist 1 enlist=a,c target=u\nenlist 9 enlist=c\ncommit 9\nabort 9\nkeepalive 9\ncommit 1 tag=2\ncommit "
     "1\ncommit 1 settle=b:DONE\n"
     "commit 1 settle=b:UNKNOWN\ncommit 1 settle=b:REJECTED who=bob\ncommit 1 settle=x:DONE\nabort 1 reason=**\nabort "
     "1 reason=*256\n"
     "abort 1 reason=*257\nabort 1 actor=** who=bob\nabort 1 settle=b:DONE out=B as_request=yes\nabort 1 "
     "settle=b:UNKNOWN may_run=900\n"
     "abort 1 settle=b:REJECTED,a:DONE\nabort 1 settle=x:DONE\nkeepalive 1 who=eve"},
    {"what is settled once it is paused", NULL, 8, .lines = "begin r1 enlist=a\npause 1\nat 9000",
     "enlist 1 enlist=b\nenlist 1 enlist=a\nenlist 1 settle=a:DONE\ncommit 1 settle=a:DONE\nabort 1\nkeepalive "
     "1\nresume 1\nbegin r1 enlist=a\n"
     "cancel 1"},
    {"what is settled once it is committed", NULL, 8, .lines = "begin r1 enlist=a,b\ncommit 1 settle=a:DONE,b:REJECTED",
     "commit 1\ncommit 1 settle=a:DONE,b:REJECTED\ncommit 1 settle=a:REJECTED\ncommit 1 settle=a:DONE,x:DONE\nenlist 1 "
     "enlist=c\nabort 1\n"
     "keepalive 1\nbegin r1 enlist=a,b\nbegin r1\ncancel 1\npause 1\nresume 1\nretry 1\nskip 1 a\nreject 1 a\nresolve "
     "1"},
    {"what is settled once it is a dead letter", NULL, 8,
     .lines = "begin r1 enlist=a tries=1 backoff=10\nabort 1 settle=a:DONE\nanswer 1 a NOT_FOUND",
     "enlist 1 enlist=b\ncommit 1\nabort 1\nkeepalive 1\nbegin r1 enlist=a tries=1 backoff=10\ncancel 1\nretry 1 "
     "a\nskip 1 a\nreject 1 a\n"
     "resolve 1\nset t places=0"},
};

static void put_all(FILE *out)
{
    static const char *const none[] = {NULL};
    engine_table_put(out, cases, sizeof cases / sizeof *cases, &(struct probes){none, none});
}

START_TEST(engine_requests_table__each_field_at_each_bound)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "engine_requests_table", engine_requests_table__each_field_at_each_bound);
}
