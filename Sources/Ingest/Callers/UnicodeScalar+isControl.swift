extension Unicode.Scalar {
  /// Whether it is one of the control characters of Unicode (general category Cc), NUL included.
  var isControl: Bool { value < 0x20 || (0x7f...0x9f).contains(value) }
}
