/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_program.c -- whatever the text, it is refused by its line or round-trips.
 *
 * Run: make fuzz, or
 *      clang -fsanitize=fuzzer,address,undefined ... && ./fuzz_program tests/fuzz/corpus/program
 */
#include <bitactor/trace_program.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count);

static void
must(bool right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count)
{
	bitactor_program_t program;
	bitactor_error_t   error = { .status = BITACTOR_OK };
	const char *text = byte_count > 0 ? (const char *)bytes : "";
	bitactor_status_t status = bitactor_program_parse(text, byte_count, &program, &error);
	must(error.status == status, "the error has the status");
	if (status != BITACTOR_OK) {
		must(status == BITACTOR_CORRUPT, "why");
		must(strncmp(error.text, "PROGRAM record, line ", 21) == 0, "where");
		return 0;
	}
	must(bitactor_name_is_valid(program.module), "the module's name");
	must(bitactor_engine_bytes(&program.config) > 0, "an engine can be made");
	must(program.param_count <= BITACTOR_PROGRAM_PARAMS, "as many parameters as there are");
	for (uint32_t i = 0; i < program.param_count; i++)
		must(bitactor_name_is_valid(program.param[i].name), "a parameter's name");

	size_t again_bytes = 0;
	char  *again = bitactor_program_text(&program, &again_bytes);
	must(again != NULL && again_bytes == byte_count && memcmp(again, text, byte_count) == 0,
	     "the same text");
	free(again);
	return 0;
}
