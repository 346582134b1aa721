/* Options as the context takes them. */
#ifndef API_OPTIONS_H
#define API_OPTIONS_H

#include <cistern/options.h>
#include "tiers_chain.h"

/** The value of a known option ("" where it has none); borrowed. */
const char *api_options_text(const cistern_options *options, const char *name);
/** The value of an option that is a number. */
unsigned long api_options_number(const cistern_options *options, const char *name);
unsigned long api_options_seconds(const cistern_options *o, const char *name); /* of a duration */
void api_options_log(const cistern_options *options, cistern_log_fn *fn, void **user);
/** Fill what the chain of stores is made from; texts are borrowed from the options. */
void api_options_chain(const cistern_options *options, tiers_options *out);

#endif
