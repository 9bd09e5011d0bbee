/* question.c - questions are written in CEL; all that is to be known of it here is where its texts and comments end. */
#include "client-lib/sagactl/question.h"

#include <stdbool.h>
#include <string.h>

static bool is_raw(const char *question, const char *quote)
{
    for (const char *at = quote; at > question && quote - at < 2 && strchr("rRbB", at[-1]) != NULL; at--)
        if (at[-1] == 'r' || at[-1] == 'R')
            return true;
    return false;
}

/* Bytes of the text whose quote stands at `quote`, to its end or that of the question. */
static size_t quoted_size(const char *question, const char *quote)
{
    char c = quote[0];
    size_t count = c != '`' && quote[1] == c && quote[2] == c ? 3 : 1;
    bool raw = c == '`' || is_raw(question, quote);
    for (const char *at = quote + count; *at != '\0'; at++) {
        if (strncmp(at, (const char[]){c, c, c}, count) == 0)
            return (size_t)(at - quote) + count;
        if (*at == '\\' && !raw && at[1] != '\0')
            at++;
    }
    return strlen(quote);
}

char *question_on_a_line(const char *question, char *to, size_t size)
{
    size_t used = 0;
    for (const char *at = question; *at != '\0';) {
        bool quote = strchr("'\"`", *at) != NULL, space = strchr(" \t\n\r\f", *at) != NULL;
        bool comment = at[0] == '/' && at[1] == '/';
        size_t taken = quote ? quoted_size(question, at) : comment ? strcspn(at, "\n") : 1;
        size_t written = comment ? 0 : taken;
        if (used + written >= size)
            break;
        memcpy(to + used, space ? " " : at, written);
        used += written;
        at += taken;
    }
    while (used > 0 && to[used - 1] == ' ')
        used--;
    to[used] = '\0';
    return to;
}
