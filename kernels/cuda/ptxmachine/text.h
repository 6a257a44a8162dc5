// Formatted strings, the tokens of PTX text, and the error that refuses it.
#pragma once
#include <cstdarg>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "number.h"

namespace ptx {

using ull = unsigned long long;

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

struct LoadError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Token {
  enum Kind : u8 { End, Word, Number, String, Mark, File, Location };
  Kind kind = End;
  std::string_view text;
  u32 line = 0;
};

// Splits PTX text. The views point into `text`. Words hold letters, digits, _ $ % . and "::".
std::vector<Token> tokenize(std::string_view text);
std::vector<std::string> lines(std::string_view text);

}  // namespace ptx
