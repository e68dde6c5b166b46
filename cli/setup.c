/* SPDX-License-Identifier: Apache-2.0 */
/* setup.c -- memory for an engine, stopping, dying. */
#include "setup.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- an engine ---------------------------------------------------------- */

static void *
block_of(size_t bytes, size_t alignment)
{
	return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static bitactor_status_t
engine_make(setup_t *setup, const bitactor_config_t *config, bitactor_error_t *error)
{
	size_t bytes = bitactor_engine_bytes(config);
	if (bytes == 0)
		return bitactor_error_set(error, BITACTOR_ERROR, 0,
		                          "a limit of the configuration is out of range");
	setup->block = block_of(bytes, 4096);
	if (setup->block == NULL)
		return bitactor_error_set(error, BITACTOR_IO, 0, "out of memory: %zu bytes", bytes);
	bitactor_status_t status =
	        bitactor_engine_init(setup->block, bytes, config, &setup->engine);
	if (status != BITACTOR_OK || config->fibers == 0)
		return status == BITACTOR_OK
		               ? status
		               : bitactor_error_set(error, status, 0, "the engine cannot be made");

	bytes = bitactor_fibers_bytes(config);
	setup->fiber_block = block_of(bytes, 4096);
	if (setup->fiber_block == NULL)
		return bitactor_error_set(error, BITACTOR_IO, 0, "out of memory: %zu bytes", bytes);
	status = bitactor_fibers_init(setup->engine, setup->fiber_block, bytes);
	if (status != BITACTOR_OK)
		return bitactor_error_set(error, status, 0, "fibers cannot be had on this machine");
	return BITACTOR_OK;
}

bitactor_status_t
setup_engine(setup_t *setup, const bitactor_config_t *config, const char *program,
             size_t program_bytes, bitactor_loaded_t *module, bitactor_error_t *error)
{
	bitactor_status_t status = engine_make(setup, config, error);
	if (status != BITACTOR_OK)
		return status;
	size_t      schema_bytes;
	const char *schema = bitactor_module_schema(module, &schema_bytes);
	status = bitactor_telemetry_note(setup->engine, BITACTOR_RECORD_PROGRAM, program,
	                                 program_bytes);
	if (status == BITACTOR_OK)
		status = bitactor_telemetry_note(setup->engine, BITACTOR_RECORD_SCHEMA, schema,
		                                 schema_bytes);
	if (status != BITACTOR_OK)
		return bitactor_error_set(error, status, 0, "the trace cannot be begun: %s",
		                          bitactor_status_text(status));
	return bitactor_module_start(module, setup->engine, error);
}

void
setup_free(setup_t *setup)
{
	if (setup->engine != NULL)
		(void)bitactor_destroy(setup->engine);
	free(setup->fiber_block);
	free(setup->block);
	memset(setup, 0, sizeof *setup);
}

/* ---- stopping ----------------------------------------------------------- */

volatile sig_atomic_t setup_stop;

static void (*say_last_words)(int);

/* A wait that begins just after the signal would miss it: SIGALRM, a second later
 * and then every second, ends that wait too.  A second signal is for a handler
 * that does not return: the end, but with last words. */
static void
on_stop(int signal_number)
{
	if (setup_stop != 0) {
		if (say_last_words != NULL)
			say_last_words(signal_number);
		setup_raise_stop();
	}
	setup_stop = signal_number;
	(void)alarm(1);
}

static void
on_alarm(int signal_number)
{
	(void)signal_number;
	(void)alarm(1);
}

void
setup_catch_stop(void)
{
	/* no SA_RESTART: a wait for input ends; one at a time: last words are said once */
	struct sigaction action = { .sa_handler = on_stop };
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGINT);
	sigaddset(&action.sa_mask, SIGTERM);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	action = (struct sigaction){ .sa_handler = on_alarm };
	sigemptyset(&action.sa_mask);
	(void)sigaction(SIGALRM, &action, NULL);
	/* a full file answers EFBIG, a closed pipe EPIPE: errors, not deaths */
	action = (struct sigaction){ .sa_handler = SIG_IGN };
	(void)sigaction(SIGXFSZ, &action, NULL);
	(void)sigaction(SIGPIPE, &action, NULL);
}

void
setup_raise_stop(void)
{
	if (setup_stop == 0)
		return;
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t         set;
	(void)sigaction(setup_stop, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, setup_stop);
	(void)raise(setup_stop);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* if we are in its handler */
}

/* ---- dying -------------------------------------------------------------- */

static const int deaths[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
enum { DEATH_COUNT = sizeof deaths / sizeof *deaths };

static struct sigaction before[DEATH_COUNT];
static _Alignas(16) uint8_t death_stack[64 * 1024]; /* for an overflowed stack */

static void
on_death(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	/* the previous action from here on: a fault in here ends it */
	for (int i = 0; i < DEATH_COUNT; i++)
		(void)sigaction(deaths[i], &before[i], NULL);
	say_last_words(signal_number);
	/* A fault happens again when we return, there, with a true core; what was
	 * sent must be sent again. */
	if (info->si_code <= 0)
		(void)raise(signal_number);
}

void
setup_catch_death(void (*last_words)(int signal_number))
{
	say_last_words = last_words;
	stack_t stack = { .ss_sp = death_stack, .ss_size = sizeof death_stack };
	(void)sigaltstack(&stack, NULL);
	struct sigaction action = { .sa_sigaction = on_death,
		                    .sa_flags     = SA_SIGINFO | SA_ONSTACK };
	sigemptyset(&action.sa_mask);
	for (int i = 0; i < DEATH_COUNT; i++)
		(void)sigaction(deaths[i], &action, &before[i]);
}

/* Walk the newest segment: the open record is the one whose check is missing. */
bool
setup_in_dispatch(const bitactor_engine_t *engine, uint64_t *seq, uint16_t *kind)
{
	uint64_t segment;
	uint32_t limit;
	bitactor_segment_header_t header;
	bitactor_record_t         record;
	const uint8_t *bytes = bitactor_telemetry_last_gasp(engine, &segment, &limit);
	if (bytes == NULL || bitactor_segment_header_read(bytes, &header, NULL) != BITACTOR_OK)
		return false;

	*seq = header.first_seq;
	uint32_t nonce = bitactor_segment_nonce(header.uuid, segment);
	for (uint32_t at = BITACTOR_HEADER_BYTES; at < limit; at += record.bytes) {
		bitactor_status_t status =
		        bitactor_record_read(bytes, nonce, at, limit, true, &record, NULL);
		*kind = record.kind;
		if (status == BITACTOR_BUSY)
			return true;
		if (status != BITACTOR_OK)
			return false;
		*seq += bitactor_record_is_compared(&record);
	}
	return false;
}

void
setup_say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return; /* nobody is left to tell */
}

void
setup_say_number(uint64_t number)
{
	char  digits[21]; /* 2^64 has 20 */
	char *at = digits + sizeof digits;
	*--at    = '\0';
	do
		*--at = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	setup_say(at);
}
