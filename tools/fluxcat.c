/* SPDX-License-Identifier: MIT */
/* fluxcat: send a file or a pipe reliably over UDP to another fluxcat. */
#include "cat/cat.h"

int main(int argc, char **argv)
{
	struct cat_options options;
	bool done;
	int rc;

	cli_init("fluxcat");
	rc = cat_options_parse(&options, argc, argv, &done);
	if (rc != CLI_OK || done)
		return rc;
	return options.listen ? cat_receive(&options) : cat_send(&options);
}
