# SPDX-License-Identifier: Apache-2.0
#
# Makes openapi.json a C string, one literal a line, without the indentation.
s/[\\"]/\\&/g
s/^ *\(.*\)$/"\1\\n"/
1s/^/static const char openapi_text[] =\n/
$s/$/;/
