/* What pull and add share: the options that say what a model is, and telling what happened. */
#ifndef CLI_BRING_H
#define CLI_BRING_H

#include "cli_options.h"

/** What a user says of a model: the member `facts` of a verb's values, which CLI_FACT_ROWS fills in. */
typedef struct cli_facts {
    const char *arch, *preprocess, *labels, *config, *bn_epsilon, *data_format;
} cli_facts;
/** They as the library's options; texts borrowed. */
cistern_pull_options cli_bring_declared(const cli_facts *facts);

#define CLI_FACT_ROWS(type)                                                                                  \
    {"arch",                                                                                                 \
     0,                                                                                                      \
     "NAME",                                                                                                 \
     CLI_TEXT,                                                                                               \
     offsetof(type, facts.arch),                                                                             \
     "it is this: vgg11 … vgg19, vgg11_bn … vgg19_bn"},                                                      \
        {"preprocess",                                                                                       \
         0,                                                                                                  \
         "NAME",                                                                                             \
         CLI_TEXT,                                                                                           \
         offsetof(type, facts.preprocess),                                                                   \
         "how its input is prepared: torchvision, keras …"},                                                 \
        {"labels",                                                                                           \
         0,                                                                                                  \
         "FILE",                                                                                             \
         CLI_TEXT,                                                                                           \
         offsetof(type, facts.labels),                                                                       \
         "names of its classes: one a line, or a JSON array"},                                               \
        {"config",                                                                                           \
         0,                                                                                                  \
         "FILE|URL|none",                                                                                    \
         CLI_TEXT,                                                                                           \
         offsetof(type, facts.config),                                                                       \
         "its config.json (default: the one beside it)"},                                                    \
        {"bn-epsilon",                                                                                       \
         0,                                                                                                  \
         "NUMBER",                                                                                           \
         CLI_TEXT,                                                                                           \
         offsetof(type, facts.bn_epsilon),                                                                   \
         "what its batch norm adds to the variance, if not its framework's"},                                \
    {                                                                                                        \
        "data-format", 0, "ORDER", CLI_TEXT, offsetof(type, facts.data_format),                              \
            "how its pictures lay when it was trained: channels_first, channels_last"                        \
    }

/** "hit", "fetched", …; static. */
const char *cli_bring_outcome(cistern_pull_outcome outcome);
/**
 * Tell what a pull or an add did: words on the notes, the full reference as the last line of the data.
 * @param done        what was done where bytes came: "fetched", "added".
 * @param elapsed_ms  what it took.
 */
void cli_bring_report(cli *c, const char *done, const cistern_version *version,
                      const cistern_pull_result *result, uint64_t elapsed_ms);

#endif
