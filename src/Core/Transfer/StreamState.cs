using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// A <see cref="ParserState"/> as one line of ASCII, for headers, manifests and the catalogue: where one snapshot's
/// stream stands between two records, and, behind a semicolon, what its BEGIN said. docs/storage-format.md describes
/// it. Packages have no such line.
/// </summary>
public static class StreamState
{
    /// <summary>No line that this program writes is longer; nothing longer is read.</summary>
    public const int MaxLength = 1024;

    private const int StateFields = 17;
    private const int BeginFields = 7;

    /// <summary>The state with its BEGIN, from which a parser can go on; the start of a stream has none.</summary>
    public static string Write(ParserState state) =>
        state.Snapshot is { } begin ? $"{WriteWithoutBegin(state)};{WriteBegin(begin)}" : WriteWithoutBegin(state);

    /// <summary>The state alone.</summary>
    public static string WriteWithoutBegin(ParserState state)
    {
        var (sum, position) = (state.Checksum, state.Position);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{(int)state.Phase},{state.StreamOffset},{state.RecordCount},{sum.A:x},{sum.B:x},{sum.C:x},{sum.D:x},{state.LastWriteObject},{state.LastWriteOffset},{state.ObjectRange},{position?.Object},{(int?)position?.Stage},{position?.Offset},{state.ResumePoint.Object},{state.ResumePoint.Offset},{state.ResumeBytes},{(state.IsBehindWrite ? 1 : 0) + (state.IsDisordered ? 2 : 0)}"
        );
    }

    /// <summary>What a BEGIN says, as <see cref="Write"/> puts it behind the semicolon.</summary>
    public static string WriteBegin(SnapshotStreamInfo begin) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{begin.SnapshotGuid},{begin.BaseGuid},{(int)begin.Type},{(ulong)begin.Features:x},{begin.Flags},{begin.CreationTime.ToUnixTimeSeconds()},{Convert.ToHexStringLower(Encoding.UTF8.GetBytes(begin.FullSnapshotName))}"
        );

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <param name="text">The line.</param>
    /// <param name="state">The state; null where the line is no state.</param>
    public static bool TryRead(string? text, [NotNullWhen(true)] out ParserState? state)
    {
        state = null;
        if (text is null || text.Length > MaxLength)
            return false;
        try
        {
            state = text.Split(';') switch
            {
                [var alone] => Read(alone.Split(','), begin: null),
                [var first, var begin] => Read(first.Split(','), ReadBegin(begin.Split(','))),
                _ => null,
            };
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentOutOfRangeException)
        {
            return false;
        }

        return state is not null && IsPossible(state);
    }

    private static ParserState? Read(string[] fields, SnapshotStreamInfo? begin)
    {
        if (fields.Length != StateFields)
            return null;
        var flags = ReadNumber(fields[16]);
        return new ParserState
        {
            Phase = (StreamPhase)ReadSmall(fields[0]),
            StreamOffset = ReadLength(fields[1]),
            RecordCount = ReadLength(fields[2]),
            Checksum = new Fletcher4(ReadHex(fields[3]), ReadHex(fields[4]), ReadHex(fields[5]), ReadHex(fields[6])),
            Begin = begin,
            Snapshot = begin,
            LastWriteObject = ReadNumber(fields[7]),
            LastWriteOffset = ReadNumber(fields[8]),
            ObjectRange = fields[9].Length == 0 ? null : ReadNumber(fields[9]),
            Position =
                fields[10].Length == 0
                    ? null
                    : new RecordPosition(
                        ReadNumber(fields[10]),
                        (RecordStage)ReadSmall(fields[11]),
                        ReadNumber(fields[12])
                    ),
            ResumePoint = new ResumePoint(ReadNumber(fields[13]), ReadNumber(fields[14])),
            ResumeBytes = ReadLength(fields[15]),
            IsBehindWrite = (flags & 1) != 0,
            IsDisordered = (flags & 2) != 0,
        };
    }

    private static SnapshotStreamInfo? ReadBegin(string[] fields)
    {
        if (fields.Length != BeginFields)
            return null;
        return new SnapshotStreamInfo
        {
            SnapshotGuid = ReadNumber(fields[0]),
            BaseGuid = ReadNumber(fields[1]),
            Type = (StreamType)ReadSmall(fields[2]),
            Features = (StreamFeatures)ReadHex(fields[3]),
            Flags = uint.Parse(fields[4], NumberStyles.None, CultureInfo.InvariantCulture),
            CreationTime = DateTimeOffset.FromUnixTimeSeconds(
                long.Parse(fields[5], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture)
            ),
            FullSnapshotName = Encoding.UTF8.GetString(Convert.FromHexString(fields[6])),
        };
    }

    /// <summary>
    /// Between the records of one plain stream; only its start goes without what BEGIN said, and so may what only tells
    /// where it stands.
    /// </summary>
    private static bool IsPossible(ParserState state) =>
        state.Phase is StreamPhase.Start or StreamPhase.Snapshot or StreamPhase.End
        && state.Position is not { Stage: > RecordStage.Spill }
        && state.Snapshot is not { Type: not (StreamType.Filesystem or StreamType.Volume) }
        && (state.Phase != StreamPhase.Start || (state.StreamOffset == 0 && state.Snapshot is null));

    private static ulong ReadNumber(string text) => ulong.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

    private static long ReadLength(string text) => long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

    private static int ReadSmall(string text) => byte.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

    private static ulong ReadHex(string text) =>
        ulong.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
