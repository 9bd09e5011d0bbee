/* help.h - what the tables of command.h and exits.h say: as help, as sections of the man page, as shell completions. */
#ifndef SAGACTL_HELP_H
#define SAGACTL_HELP_H

#include <stdbool.h>
#include <stdio.h>

#include "client-lib/sagactl/command.h"

void help_overview(FILE *out);
void help_command(FILE *out, const struct command_row *command);

/* Roff of the sections COMMANDS, OPTIONS and EXIT STATUS, which stand in docs/man/sagactl.1 between these two lines. */
#define HELP_MAN_BEGIN ".\\\" What follows is generated from the tables of sagactl.\n"
#define HELP_MAN_END   ".\\\" What was generated ends here.\n"
void help_man(FILE *out);

/* Writes the completions of a shell. False when there are none for it. */
bool help_completion(FILE *out, const char *shell);

#endif
