import Worker

/// When a delivery is tried again, and when no more.
enum WebhookSchedule {
  /// The waits after the first failure, the second …, before chance, in seconds; the last one repeats.
  static let waitsSeconds: [Int64] = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800]
  /// How long an event is told: three days. The last try is at that age.
  static let lifetimeMilliseconds: Int64 = 259_200_000
  /// How long a server rests that does not answer: 5 s, 10 s … 5 min, half of it by chance. It never makes a delivery wait
  /// that failed as often as the server, and keeps a dead one from taking up those who deliver.
  static let rest = BackOff(initialMilliseconds: 5_000, maximumMilliseconds: 300_000)

  /// The wait in milliseconds after the try that was preceded by so many: up to a fifth longer, by chance.
  static func delay(afterTries tries: Int, random: any RandomSource) -> Int64 {
    let wait = waitsSeconds[min(tries, waitsSeconds.count - 1)] * 1_000
    return wait + Int64(random.uniform(below: UInt64(wait / 5) + 1))
  }
}
