// What the drivers on Node share: one job, a JSON object, a line on standard input; one answer a line back. What they
// hold: see jobs.py.

import { createInterface } from "node:readline";
import { createRequire } from "node:module";

/** Loads a package from where the tools are. */
export const require = createRequire(`${process.env.OPENCODE_CLIENTS_NODE}/`);

const { z } = require("zod");

/** The object that structured output is asked for. */
export const Weather = z.object({ city: z.string(), degrees: z.int() });

/** What the caller's own tool says. */
export const forecast = ({ city }) => `sun for ${city}`;

/** An SDK's own limit for a job, in milliseconds. */
export const TIMEOUT = 25_000;

export const errorOf = (error, base) => ({
  class: error?.constructor?.name ?? "?",
  is_api_error: error instanceof base,
  status: error?.status ?? null,
  message: String(error?.message ?? error),
});

/** Runs jobs until there are no more. */
export const serve = async (run, errorOf) => {
  for await (const line of createInterface({ input: process.stdin })) {
    const job = JSON.parse(line);
    run(job)
      .catch((error) => ({ error: errorOf(error) }))
      .then((outcome) => process.stdout.write(`${JSON.stringify({ id: job.id, outcome })}\n`));
  }
};
