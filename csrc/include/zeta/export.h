#pragma once

/// Marks what libzeta.so offers to programs that link with it; all else is hidden.
#define ZETA_API __attribute__((visibility("default")))
