// The saga of tests/bench/rig.py as a Restate user would write it: three steps on a second service, and when the third is declined, the
// compensations of the first two in reverse. Serves both services on one port, in one process: the fewest processes on a small machine.
import "./polyfill.mjs";
import process from "node:process";

const restate = await import("@restatedev/restate-sdk");

// Participants that do nothing but answer with what they were given, as ours do.
const answer = async (_ctx, payload) => payload;
const decline = async () => {
  throw new restate.TerminalError("declined", { errorCode: 409 });
};
const participant = restate.service({
  name: "participant",
  handlers: { a1: answer, a2: answer, a3: answer, a3declined: decline, c1: answer, c2: answer, c3: answer },
});

const saga = restate.service({
  name: "saga",
  handlers: {
    run: async (ctx, { reject, payload }) => {
      const second = ctx.serviceClient({ name: "participant" });
      const undo = [];
      try {
        for (const step of [1, 2, 3]) {
          await second[step === 3 && reject ? "a3declined" : `a${step}`](payload);
          undo.push(`c${step}`);
        }
      } catch (error) {
        if (!(error instanceof restate.TerminalError)) throw error; // the server's own business: a suspended or retried attempt
        for (const compensation of undo.reverse()) await second[compensation](payload);
        return "compensated";
      }
      return "committed";
    },
  },
});

await restate.endpoint().bind(participant).bind(saga).listen(Number(process.argv[2]));
process.stdout.write("serving\n");
