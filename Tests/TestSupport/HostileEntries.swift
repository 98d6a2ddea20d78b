public import Streams

/// Entries that nobody of ours writes into a stream, as somebody with Redis' password can: read by each stage, whose work
/// they must not stop, and whose payouts they must not pay, end or repeat.
public enum HostileEntries {
  /// What each entry is, and the words of its XADD in the server's own Lua, which can say any bytes.
  ///
  /// - Parameters:
  ///   - field: the field that carries the stage's id.
  ///   - real: an id that the stage works on.
  ///   - others: ids that exist, and that the stage must leave alone.
  ///   - nobodys: an id of the right form that belongs to nothing.
  public static func all(
    field: String, real: String, others: [String], nobodys: String
  ) -> [(name: String, words: String)] {
    let forged = others.enumerated().map { ("another's id \($0.offset)", "'\(field)', '\($0.element)'") }
    return forged + [
      ("no id", "'\(field)', 'nothing'"), ("an empty value", "'\(field)', ''"), ("an empty name", "'', '\(real)'"),
      ("SQL", "'\(field)', \"' OR true --\""), ("no field of ours", "'something', '\(real)'"),
      ("the field in capitals", "'\(field.uppercased())', '\(real)'"),
      ("nobody's id", "'\(field)', '\(nobodys)'"), ("zeros", "'\(field)', '\(nobodys.map(zeroed).joined())'"),
      ("an id and more", "'\(field)', '\(real)0'"), ("an id and a line", "'\(field)', '\(real)' .. '\\n'"),
      ("less than an id", "'\(field)', '\(real.dropLast())'"), ("two ids", "'\(field)', '\(real),\(nobodys)'"),
      ("digits of another alphabet", "'\(field)', '\(real.dropLast())' .. '\\217\\165'"),
      ("bytes that are no UTF-8", "'\(field)', '\\255\\254\\0\\128'"),
      ("a name that is no UTF-8", "'\\255\\254', '\(real)'"),
      ("a value of 1 MB", "'\(field)', string.rep('a', 1048576)"),
      ("an id and 1 MB", "'\(field)', '\(real)' .. string.rep(' ', 1048576)"),
      ("a name of 1 MB", "string.rep('n', 1048576), '\(real)'"),
      ("the field twice", "'\(field)', '\(nobodys)', '\(field)', 'nothing'"),
      ("a dead letter's own fields", "'dead.error', 'x', 'dead.stream', 'y', 'dead.id', '0-1'"),
      (
        "terms that nobody asked for",
        "'\(field)', '\(nobodys)', 'amount', '1000000', 'recipient', 'T', 'status', 'paid'"
      ),
      ("a thousand fields", "unpack(many)"),
      // The stage's own id, as often as one likes, with whatever beside it: no authority either.
      ("the id in capitals", "'\(field)', '\(real.uppercased())'"), ("the id again", "'\(field)', '\(real)'"),
      ("the id and other terms", "'\(field)', '\(real)', 'amount', '999000000', 'recipient', 'T', 'seal', 'x'"),
    ]
  }

  private static func zeroed(_ character: Character) -> String { character == "-" ? "-" : "0" }

  /// Writes entries into a stream of the server at `url`, which may name a database.
  public static func write(_ entries: [(name: String, words: String)], to stream: StreamName, at url: String)
    async throws
  {
    let start = """
      local many = {}
      for number = 1, 1000 do many[#many + 1] = 'name' .. number; many[#many + 1] = 'value' end

      """
    let lines = entries.map { "redis.call('XADD', KEYS[1], '*', \($0.words))" }.joined(separator: "\n")
    _ = try await ChildProcess.require("redis-cli", ["-u", url, "EVAL", start + lines, "1", stream.text])
  }
}
