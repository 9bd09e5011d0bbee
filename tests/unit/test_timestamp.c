/* Times and spans as protobuf writes them in JSON, and the calendar behind them. */
#include "sidecar/base/timestamp.h"

#include <check.h>
#include <stdlib.h>

START_TEST(timestamp__is_read_and_written)
{
    static const struct {
        const char *text, *written;
        int64_t seconds;
        int32_t nanos;
    } cases[] = {
        {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", 0, 0},
        {"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z", -1, 500000000},
        {"2026-11-28T02:50:00.250+02:00", "2026-11-28T00:50:00.250Z", 1795827000, 250000000},
        {"2026-11-27T22:20:00-02:30", "2026-11-28T00:50:00Z", 1795827000, 0},
        {"2026-11-29T00:49:00+23:59", "2026-11-28T00:50:00Z", 1795827000, 0},
        {"2000-02-29T12:34:56.000001Z", "2000-02-29T12:34:56.000001Z", 951827696, 1000},
        {"2000-02-29T12:34:56.000000001Z", "2000-02-29T12:34:56.000000001Z", 951827696, 1},
        {"2000-02-29T12:34:56.120000Z", "2000-02-29T12:34:56.120Z", 951827696, 120000000},
        {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", TIMESTAMP_SECONDS_MIN, 0},
        {"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z", TIMESTAMP_SECONDS_MAX, 999999999},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t seconds = -7;
        int32_t nanos = -7;
        char text[TIMESTAMP_TEXT_SIZE];
        ck_assert_msg(timestamp_read(bytes_of_text(cases[i].text), &seconds, &nanos), "%s", cases[i].text);
        ck_assert_msg(seconds == cases[i].seconds && nanos == cases[i].nanos, "%s: %lld %d", cases[i].text,
                      (long long)seconds, nanos);
        ck_assert_uint_eq(timestamp_write(seconds, nanos, text), strlen(cases[i].written));
        ck_assert_str_eq(text, cases[i].written);
    }
    static const char *const none[] = {
        "",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00Zx",
        "1970-01-01 00:00:00Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.1234567890Z",
        "1970-1-01T00:00:00Z",
        "1970-00-01T00:00:00Z",
        "1970-13-01T00:00:00Z",
        "1970-01-00T00:00:00Z",
        "1970-01-32T00:00:00Z",
        "1970-04-31T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:60Z",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+00:60",
        "1970-01-01T00:00:00+0100",
        "0000-12-31T23:59:59Z",
        "0000-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        int64_t seconds;
        int32_t nanos;
        ck_assert_msg(!timestamp_read(bytes_of_text(none[i]), &seconds, &nanos), "%s", none[i]);
    }
}
END_TEST

START_TEST(timestamp__so_are_durations)
{
    static const struct {
        const char *text, *written;
        int64_t seconds;
        int32_t nanos;
    } cases[] = {
        {"0s", "0s", 0, 0},
        {"-0s", "0s", 0, 0},
        {"3.5s", "3.500s", 3, 500000000},
        {"-1.5s", "-1.500s", -1, -500000000},
        {"-0.000000001s", "-0.000000001s", 0, -1},
        {"0.000001s", "0.000001s", 0, 1000},
        {"315576000000s", "315576000000s", DURATION_SECONDS_MAX, 0},
        {"-315576000000s", "-315576000000s", -DURATION_SECONDS_MAX, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t seconds = -7;
        int32_t nanos = -7;
        char text[TIMESTAMP_TEXT_SIZE];
        ck_assert_msg(duration_read(bytes_of_text(cases[i].text), &seconds, &nanos), "%s", cases[i].text);
        ck_assert_msg(seconds == cases[i].seconds && nanos == cases[i].nanos, "%s", cases[i].text);
        ck_assert_uint_eq(duration_write(seconds, nanos, text), strlen(cases[i].written));
        ck_assert_str_eq(text, cases[i].written);
    }
    static const char *const none[] = {"",
                                       "s",
                                       "1",
                                       "1 s",
                                       "1.s",
                                       "+1s",
                                       ".5s",
                                       "1.5",
                                       "1.5sx",
                                       "--1s",
                                       "1.0000000001s",
                                       "315576000001s",
                                       "-315576000001s",
                                       "18446744073709551615s",
                                       "1e3s"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        int64_t seconds;
        int32_t nanos;
        ck_assert_msg(!duration_read(bytes_of_text(none[i]), &seconds, &nanos), "%s", none[i]);
    }
    ck_assert(duration_valid(1, 999999999) && !duration_valid(1, 1000000000) && !duration_valid(1, -1));
    ck_assert(duration_valid(-1, -999999999) && !duration_valid(-1, 1) && duration_valid(0, -1) &&
              duration_valid(0, 1));
    ck_assert(!duration_valid(DURATION_SECONDS_MAX + 1, 0) && !duration_valid(-DURATION_SECONDS_MAX - 1, 0));
    ck_assert(timestamp_valid(0, 999999999) && !timestamp_valid(0, 1000000000) && !timestamp_valid(0, -1));
    ck_assert(!timestamp_valid(TIMESTAMP_SECONDS_MIN - 1, 0) && !timestamp_valid(TIMESTAMP_SECONDS_MAX + 1, 0));
}
END_TEST

/* Every day of four hundred years, after which the calendar begins anew, follows the one before it. */
START_TEST(timestamp__days_follow_one_another)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct civil wanted = {.year = 1900, .month = 1, .day = 1, .hour = 23, .minute = 59, .second = 58, .weekday = 1};
    for (int64_t day = -25567; day < -25567 + 146097; day++) {
        int64_t seconds = day * 86400 + 86398;
        struct civil c = civil_of(seconds);
        if (memcmp(&c, &wanted, sizeof c) != 0 || civil_seconds(&c) != seconds)
            ck_abort_msg("%d-%d-%d: %d-%d-%d", wanted.year, wanted.month, wanted.day, c.year, c.month, c.day);
        int leap = (wanted.year % 4 == 0 && wanted.year % 100 != 0) || wanted.year % 400 == 0;
        wanted.weekday = (wanted.weekday + 1) % 7;
        wanted.year_day++;
        if (++wanted.day <= lengths[wanted.month - 1] + (wanted.month == 2 && leap))
            continue;
        wanted.day = 1;
        if (++wanted.month <= 12)
            continue;
        wanted.month = 1;
        wanted.year++;
        wanted.year_day = 0;
    }
    ck_assert_int_eq(wanted.year, 2300);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("timestamp");
    Suite *s = suite_create("timestamp");
    tcase_add_test(c, timestamp__is_read_and_written);
    tcase_add_test(c, timestamp__so_are_durations);
    tcase_add_test(c, timestamp__days_follow_one_another);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
