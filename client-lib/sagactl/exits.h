/* exits.h - what sagactl's exit status says, in one table that makes the man page too. Scripts rely on the numbers:
 * never change or reuse one. */
#ifndef SAGACTL_EXITS_H
#define SAGACTL_EXITS_H

/* Columns: constant, number, what it means. */
#define EXITS_TABLE(X) \
    X(EXIT_DONE, 0, "Done. For wait and start --wait: the saga is COMMITTED.") \
    X(EXIT_REFUSED, 1, \
      "The sidecar refused, and standard error says why; or the definition is not valid (lint, register), or the " \
      "output could not be written.") \
    X(EXIT_USAGE, 2, "The command line is wrong, or a file that it names cannot be read. Nothing was sent.") \
    X(EXIT_UNREACHABLE, 3, \
      "No sidecar answers at the address, it is stopping, or the connection was lost (then it is said that what was " \
      "asked " \
      "for may have been carried out).") \
    X(EXIT_NOT_FOUND, 4, "There is no such saga, step or definition.") \
    X(EXIT_TIMEOUT, 5, "The time given by --timeout has passed. What was asked for may still be carried out.") \
    X(EXIT_INCOMPLETE, 6, "Done, but with --fleet journals are missing from it, which standard error names.") \
    X(EXIT_COMPENSATED, 10, "wait, start --wait: the saga was undone (COMPENSATED).") \
    X(EXIT_RESOLVED, 11, "wait, start --wait: an operator ended the saga (RESOLVED).") \
    X(EXIT_STUCK, 12, "wait, start --wait: the saga is STUCK and needs an operator.")

#define EXITS_CONSTANT(constant, number, text) constant = number,
enum exits { EXITS_TABLE(EXITS_CONSTANT) };
#undef EXITS_CONSTANT

#endif
