// SPDX-License-Identifier: Apache-2.0
//
// A text as a QR code: in the terminal, or as a PNG file (qr_image.h). The
// text may be a secret: nothing is kept, the file is for its owner alone.
#pragma once

#include <stddef.h>
#include <stdio.h>

// UTF-8 half blocks, light modules on a dark ground drawn so that any terminal theme can be scanned.
//
// Returns: 0; -ERANGE when the text is too long for a QR code; -ENOMEM.
int twctl_qr_draw(FILE *out, const char *text);

// Creates file with mode 0600; an existing file is not overwritten.
//
// Returns: 0; -EEXIST; -ERANGE; -errno of the file. Nothing is left behind on failure.
int twctl_qr_write_png(const char *file, const char *text);
