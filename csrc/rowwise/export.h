#pragma once

// Marks what the operators call: all else is hidden in libzeta_engine.so.
#define ZETA_ENGINE_API __attribute__((visibility("default")))
