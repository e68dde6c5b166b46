/* SPDX-License-Identifier: Apache-2.0 */
/* setup.h -- what run and replay share: memory for an engine, and last words.
 */
#ifndef BITACTOR_CLI_SETUP_H
#define BITACTOR_CLI_SETUP_H

#include <bitactor/bitactor.h>
#include <bitactor/error.h>
#include <bitactor/module_loader.h>
#include <bitactor/trace.h>

#include <signal.h>

/* An engine in memory from the heap. */
typedef struct setup {
	bitactor_engine_t *engine;
	void *block, *fiber_block;
} setup_t;

/* Make an engine, give it fiber stacks if the configuration has any, note PROGRAM
 * and SCHEMA, start the module on it: the order that a replay repeats. */
bitactor_status_t setup_engine(setup_t *setup, const bitactor_config_t *config,
                               const char *program, size_t program_bytes,
                               bitactor_loaded_t *module, bitactor_error_t *error);

void setup_free(setup_t *setup);

/* SIGINT and SIGTERM set this to their number; a second one ends the process. */
extern volatile sig_atomic_t setup_stop;
void setup_catch_stop(void);

/* End the process by the signal that stopped it, if one did: so that the shell
 * sees what happened.  Returns when none did. */
void setup_raise_stop(void);

/* When the process dies of SEGV, BUS, ILL, FPE or ABRT: `last_words` is called,
 * in the signal handler, then the previous action is taken. */
void setup_catch_death(void (*last_words)(int signal_number));

/* Async-signal-safe: which record is in dispatch, and of which kind?  False: none
 * is, or nothing is recorded. */
bool setup_in_dispatch(const bitactor_engine_t *engine, uint64_t *seq, uint16_t *kind);

/* Async-signal-safe talk. */
void setup_say(const char *text);
void setup_say_number(uint64_t number);

#endif
