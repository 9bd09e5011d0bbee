/* until.h - waits for what another thread does, and for no longer than a test may take. */
#ifndef TESTS_SUPPORT_UNTIL_H
#define TESTS_SUPPORT_UNTIL_H

#include <check.h>
#include <time.h>

#define UNTIL(condition) \
    do { \
        time_t end_ = time(NULL) + 20; \
        while (!(condition)) { \
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); \
            ck_assert_msg(time(NULL) < end_, "waited in vain for " #condition); \
        } \
    } while (0)

#endif
