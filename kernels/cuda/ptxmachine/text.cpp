#include "text.h"

#include <cctype>

namespace ptx {

std::string format(const char* pattern, ...) {
  char buffer[2048];
  va_list arguments;
  va_start(arguments, pattern);
  vsnprintf(buffer, sizeof buffer, pattern, arguments);
  va_end(arguments);
  return buffer;
}

std::vector<std::string> lines(std::string_view text) {
  std::vector<std::string> result;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    result.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

namespace {
bool inWord(char c) { return isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' || c == '.'; }
}  // namespace

std::vector<Token> tokenize(std::string_view text) {
  std::vector<Token> tokens;
  const size_t n = text.size();
  size_t i = 0;
  u32 line = 1;
  auto skipTo = [&](std::string_view end) {
    const size_t stop = std::min(text.find(end, i), n);
    for (; i < stop; i++) line += text[i] == '\n';
  };
  while (i < n) {
    const char c = text[i];
    const size_t begin = i;
    if (c == '\n') {
      line++;
      i++;
    } else if (isspace(static_cast<unsigned char>(c)) || c == '\0') {
      i++;
    } else if (text.compare(i, 2, "//") == 0) {
      skipTo("\n");
    } else if (text.compare(i, 2, "/*") == 0) {
      skipTo("*/");
      i = std::min(i + 2, n);
    } else if (c == '"') {
      i = std::min(text.find('"', i + 1), n - 1) + 1;
      tokens.push_back({Token::String, text.substr(begin, i - begin), line});
    } else if (isdigit(static_cast<unsigned char>(c))) {
      while (i < n && (isalnum(static_cast<unsigned char>(text[i])) || text[i] == '.' ||
                       ((text[i] == '-' || text[i] == '+') && (text[i - 1] == 'e' || text[i - 1] == 'E') && text.find('.', begin) < i)))
        i++;
      tokens.push_back({Token::Number, text.substr(begin, i - begin), line});
    } else if (inWord(c)) {
      while (i < n && (inWord(text[i]) || text.compare(i, 2, "::") == 0 || (i > begin && text.compare(i - 1, 2, "::") == 0))) i++;
      const std::string_view word = text.substr(begin, i - begin);
      if (word == ".loc" || word == ".file") {
        skipTo("\n");
        tokens.push_back({word == ".loc" ? Token::Location : Token::File, text.substr(begin, i - begin), line});
      } else if (word == ".section") {
        skipTo("}");
        i = std::min(i + 1, n);
      } else {
        tokens.push_back({Token::Word, word, line});
      }
    } else {
      tokens.push_back({Token::Mark, text.substr(i, 1), line});
      i++;
    }
  }
  tokens.push_back({Token::End, {}, line});
  return tokens;
}

}  // namespace ptx
