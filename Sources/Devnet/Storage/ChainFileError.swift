/// Why the file of `DEVNET_STATE_FILE` cannot be used.
public struct ChainFileError: Error, Equatable, CustomStringConvertible {
  /// What happened, what was expected and what to do, in a sentence.
  public let description: String

  /// An error about the file at `path`.
  init(_ path: String, _ text: String) { description = "DEVNET_STATE_FILE: '\(path)' \(text)" }
}
