extension DeadLetterField {
  /// The fields of the letter for an entry: its own, and why and from where it came.
  public static func letter(for entry: StreamEntry, group: ConsumerGroup, error: String) -> [String: String] {
    var fields = entry.fields
    fields[Self.error] = StreamLimits.cut(error: error)
    fields[stream] = entry.stream.text
    fields[id] = entry.id.description
    fields[Self.group] = group.text
    fields[deliveries] = String(entry.deliveries)
    return fields
  }
}

/// Moves one entry to the dead letters, in one atomic step of the server.
///
/// - KEYS: 1 the stream, 2 its stream of dead letters.
/// - ARGV: 1 the group, 2 the entry's id, 3… the letter's fields as names and values.
/// - Returns: 1 where the letter was written and the entry ended; 0 where the group exists and the entry is not pending
///   in it, then nothing was done. A missing group (the server lost its data) counts as pending: the letter is written.
/// - The letter is written first: where that fails (another type under that key, no memory) the script ends there and
///   the entry stays pending.
enum DeadLetterScript {
  /// The script itself.
  static let text = """
    local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
    if pending.err then
      if string.sub(pending.err, 1, 7) ~= 'NOGROUP' then return pending end
    elseif #pending == 0 then
      return 0
    end
    redis.call('XADD', KEYS[2], '*', unpack(ARGV, 3))
    redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
    redis.call('XDEL', KEYS[1], ARGV[2])
    return 1
    """
}
