/* One element's text out of a small XML document that a server sent: enough for the error documents of S3.
 *
 * No parser: it looks for `<name>` and the next `</name>`, without attributes, and decodes the five named entities and
 * numeric ones. Text inside an element cannot forge another, because `<` must be escaped there. Nothing is allocated.
 */
#ifndef CLOUD_XML_H
#define CLOUD_XML_H

#include <stdbool.h>
#include <stddef.h>

/**
 * The text of the first element of that name.
 * @param bytes  n hostile bytes.
 * @param out    size bytes; cut to fit; printable ASCII and UTF-8 as it came, control characters become spaces; "" if absent.
 * @return whether there is such an element with its end, and none of another kind inside.
 */
bool cloud_xml_text(const char *bytes, size_t n, const char *name, char *out, size_t size);

#endif
