/* Forced into every file of src/: what must not be called here does not compile. Each line says what to use. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <locale.h>
#include <sys/stat.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat /* snprintf, base_buf */
#pragma GCC poison strtok gets atoi atol atof                     /* base_cursor, base_double_parse */
#pragma GCC poison strtod                                /* depends on the locale: base_double_parse */
#pragma GCC poison system popen tmpnam mktemp fork vfork /* posix_spawn */
#pragma GCC poison signal setenv putenv unsetenv setlocale umask chdir

#endif
