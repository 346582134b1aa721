/* cistern: fetch a pretrained model once, keep it, map it, run it. This header brings in all others. */
#ifndef CISTERN_CISTERN_H
#define CISTERN_CISTERN_H

#include <cistern/cancel.h>
#include <cistern/care.h>
#include <cistern/carry.h>
#include <cistern/context.h>
#include <cistern/error.h>
#include <cistern/features.h>
#include <cistern/guard.h>
#include <cistern/image.h>
#include <cistern/model.h>
#include <cistern/options.h>
#include <cistern/published.h>
#include <cistern/pull.h>
#include <cistern/session.h>
#include <cistern/store.h>
#include <cistern/tensors.h>
#include <cistern/version.h>

#endif
