// SPDX-License-Identifier: Apache-2.0
//
// See qr_image.h. What held modules or pixels is wiped before it is freed.
#include "qr_image.h"

#include <png.h>
#include <qrencode.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define QUIET_MODULES 4 // ISO/IEC 18004: the empty frame a reader needs
#define PNG_MODULE_PIXELS 6
// A run of dark modules in an SVG path; at most every second module begins one.
#define SVG_RUN "M%d %dh%dv1h-%dz"
#define SVG_RUN_CAP 24

static int encode(QRcode **ret, const char *text)
{
	QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);

	if (code == NULL)
		return errno == ERANGE ? -ERANGE : -ENOMEM;
	*ret = code;
	return 0;
}

static void destroy(QRcode *code)
{
	explicit_bzero(code->data, (size_t)code->width * (size_t)code->width);
	QRcode_free(code);
}

static bool is_dark(const QRcode *code, int x, int y)
{
	if (x < 0 || y < 0 || x >= code->width || y >= code->width)
		return false;
	return code->data[y * code->width + x] & 1;
}

int qr_image_draw(FILE *out, const char *text)
{
	// One character shows two modules, one above the other. Index: upper dark, lower dark.
	static const char *const blocks[2][2] = {{"\u2588", "\u2580"}, {"\u2584", " "}};
	QRcode *code;
	int r = encode(&code, text);

	if (r < 0)
		return r;
	for (int y = -QUIET_MODULES; y < code->width + QUIET_MODULES; y += 2) {
		fputs("\033[40;97m", out); // white on black, whatever the theme
		for (int x = -QUIET_MODULES; x < code->width + QUIET_MODULES; x++)
			fputs(blocks[is_dark(code, x, y)][is_dark(code, x, y + 1)], out);
		fputs("\033[0m\n", out);
	}
	destroy(code);
	return 0;
}

// ---- PNG -------------------------------------------------------------------------------------

struct buffer {
	char *data;
	size_t len;
	size_t cap;
};

static void drop(struct buffer *buffer)
{
	if (buffer->data != NULL)
		explicit_bzero(buffer->data, buffer->cap);
	free(buffer->data);
	*buffer = (struct buffer){0};
}

// realloc() would leave a copy behind.
static int grow(struct buffer *buffer, size_t cap)
{
	char *data = malloc(cap);

	if (data == NULL)
		return -ENOMEM;
	if (buffer->len > 0)
		memcpy(data, buffer->data, buffer->len);
	size_t len = buffer->len;
	drop(buffer);
	*buffer = (struct buffer){.data = data, .len = len, .cap = cap};
	return 0;
}

static void on_write(png_structp png, png_bytep data, size_t len)
{
	struct buffer *buffer = png_get_io_ptr(png);

	if (len > buffer->cap - buffer->len && grow(buffer, 2 * buffer->cap + len) < 0)
		png_error(png, "out of memory");
	memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
}

static void on_flush(png_structp png)
{
	(void)png;
}

static void fill_row(const QRcode *code, int y, png_byte *row, size_t n_pixels)
{
	for (size_t i = 0; i < n_pixels; i++)
		row[i] = is_dark(code, (int)i / PNG_MODULE_PIXELS - QUIET_MODULES, y) ? 0 : 255;
}

// Returns: 0, -ENOMEM, -EIO.
static int write_png(struct buffer *buffer, const QRcode *code)
{
	size_t n_pixels = (size_t)(code->width + 2 * QUIET_MODULES) * PNG_MODULE_PIXELS;
	png_byte *row = malloc(n_pixels);
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png == NULL ? NULL : png_create_info_struct(png);
	volatile int r = -ENOMEM;

	if (row == NULL || info == NULL)
		goto out;
	r = -EIO;
	if (setjmp(png_jmpbuf(png)))
		goto out;
	png_set_write_fn(png, buffer, on_write, on_flush);
	png_set_IHDR(
		png,
		info,
		(png_uint_32)n_pixels,
		(png_uint_32)n_pixels,
		8,
		PNG_COLOR_TYPE_GRAY,
		PNG_INTERLACE_NONE,
		PNG_COMPRESSION_TYPE_DEFAULT,
		PNG_FILTER_TYPE_DEFAULT
	);
	png_write_info(png, info);
	for (size_t i = 0; i < n_pixels; i++) {
		fill_row(code, (int)i / PNG_MODULE_PIXELS - QUIET_MODULES, row, n_pixels);
		png_write_row(png, row);
	}
	png_write_end(png, info);
	r = 0;
out:
	png_destroy_write_struct(png == NULL ? NULL : &png, info == NULL ? NULL : &info);
	if (row != NULL)
		explicit_bzero(row, n_pixels);
	free(row);
	return r;
}

int qr_image_png(const char *text, char **ret, size_t *ret_len)
{
	struct buffer buffer = {0};
	QRcode *code;
	int r = encode(&code, text);

	if (r < 0)
		return r;
	r = write_png(&buffer, code);
	destroy(code);
	if (r < 0) {
		drop(&buffer);
		return r;
	}
	*ret = buffer.data;
	*ret_len = buffer.len;
	return 0;
}

// ---- SVG -------------------------------------------------------------------------------------

// One row's runs. Returns: where the next character goes.
static char *put_row(char *at, const QRcode *code, int y)
{
	for (int x = 0; x < code->width; x++) {
		int len = 0;

		while (is_dark(code, x + len, y))
			len++;
		if (len == 0)
			continue;
		at += sprintf(at, SVG_RUN, x + QUIET_MODULES, y + QUIET_MODULES, len, len);
		x += len;
	}
	return at;
}

int qr_image_svg(const char *text, char **ret)
{
	QRcode *code;
	char *svg, *at;
	int r = encode(&code, text);
	int size;

	if (r < 0)
		return r;
	size = code->width + 2 * QUIET_MODULES;
	svg = malloc(512 + (size_t)code->width * ((size_t)code->width / 2 + 1) * SVG_RUN_CAP);
	if (svg == NULL) {
		destroy(code);
		return -ENOMEM;
	}
	at = svg +
		sprintf(svg,
			"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
			"shape-rendering=\"crispEdges\"><rect width=\"%d\" height=\"%d\" "
			"fill=\"#fff\"/><path d=\"",
			size,
			size,
			size,
			size);
	for (int y = 0; y < code->width; y++)
		at = put_row(at, code, y);
	strcpy(at, "\"/></svg>\n");
	destroy(code);
	*ret = svg;
	return 0;
}
