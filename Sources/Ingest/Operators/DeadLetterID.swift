import Streams

/// Names a dead letter: `<stream>:<entry id>`.
struct DeadLetterID: Sendable, Hashable, CustomStringConvertible {
  let stream: StreamName
  let entry: StreamEntryID

  init(_ letter: DeadLetter) {
    stream = letter.stream
    entry = letter.id
  }

  /// Nil where the text names none that could be.
  init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let stream = StreamName.stages.first(where: { $0.stream.text == parts[0] })?.stream,
      let entry = StreamEntryID(String(parts[1]))
    else { return nil }
    (self.stream, self.entry) = (stream, entry)
  }

  var description: String { "\(stream):\(entry)" }
}
