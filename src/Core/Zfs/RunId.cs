using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// One run of a program. A lock tells whether another run on the same machine is still at work; what a run on another
/// machine made must be left alone until it is known to be over.
/// </summary>
/// <param name="Host">The machine on which the program runs: <see cref="Machine.Id"/>, shortened.</param>
/// <param name="Number">Random.</param>
public sealed record RunId(string Host, string Number)
{
    private const int Length = 8;

    public static RunId Create(Machine machine) =>
        new(machine.Id[..Length], Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Length / 2)));

    public static bool TryParse(string text, [NotNullWhen(true)] out RunId? run)
    {
        run =
            text.Split('-') is [{ Length: Length } host, { Length: Length } number]
            && host.All(char.IsAsciiHexDigitLower)
            && number.All(char.IsAsciiHexDigitLower)
                ? new RunId(host, number)
                : null;
        return run is not null;
    }

    public override string ToString() => $"{Host}-{Number}";
}
