using System.Globalization;
using System.Text;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// The text form of a <see cref="ParserState"/>, version 1. It is stored in manifests, catalogues and headers, so it
/// must not change: another form is another version.
/// </summary>
internal static class ParserStateText
{
    private const int StateFields = 17;
    private const int BeginFields = 7;
    private const int EndsWithWriteFlag = 1;
    private const int OutOfOrderFlag = 2;

    /// <summary>Writes a state, with its BEGIN if it has one, and checks that it can be read back.</summary>
    /// <exception cref="InvalidOperationException">The state is of a package.</exception>
    public static string Write(ParserState state)
    {
        RefusePackage(state);
        var alone = WriteAlone(state);
        var text = state.Snapshot is { } begin ? $"{alone};{Write(begin)}" : alone;
        var stored = state.Snapshot is null ? null : state.Snapshot with { ResumePoint = null };
        Invariant.Require(
            ParserState.TryParse(text, out var read) && read == state with { Begin = stored, Snapshot = stored },
            "the text of a parser state gives that state"
        );
        return text;
    }

    /// <exception cref="InvalidOperationException">The state is of a package.</exception>
    public static void RefusePackage(ParserState state)
    {
        // At the end of a package the phase is that of any stream: only the first BEGIN tells.
        if (
            state.Begin is { IsPackage: true }
            || state.Phase is StreamPhase.PackageHeader or StreamPhase.Package or StreamPhase.PackageSnapshot
        )
            throw new InvalidOperationException("The state of a package has no text form.");
    }

    /// <summary>Writes what a BEGIN said.</summary>
    public static string Write(SnapshotStreamInfo begin)
    {
        var name = Convert.ToHexStringLower(Encoding.UTF8.GetBytes(begin.FullSnapshotName));
        var created = begin.CreationTime.ToUnixTimeSeconds();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{begin.SnapshotGuid},{begin.BaseGuid},{(uint)begin.Type},{(ulong)begin.Features:x},{begin.Flags},"
                + $"{created},{name}"
        );
    }

    /// <summary>Reads a state.</summary>
    /// <exception cref="FormatException">The text is no state, or of an unknown version.</exception>
    public static ParserState Read(string text)
    {
        if (text.Length > ParserState.MaxTextLength)
            throw new FormatException(
                $"A parser state of {text.Length} characters; expected at most {ParserState.MaxTextLength}."
            );
        RefuseOtherVersions(text);
        var state = Guarded(() =>
            text.Split(';') switch
            {
                [var alone] => Read(alone.Split(','), begin: null),
                [var alone, var begin] => Read(alone.Split(','), ReadBegin(begin.Split(','))),
                _ => null,
            }
        );
        return state is not null && IsPossible(state)
            ? state
            : throw new FormatException("The text is no parser state of version 1.");
    }

    /// <summary>Reads what a BEGIN said.</summary>
    /// <exception cref="FormatException">The text says nothing of that kind.</exception>
    public static SnapshotStreamInfo ReadBegin(string text)
    {
        var begin = text.Length > ParserState.MaxTextLength ? null : Guarded(() => ReadBegin(text.Split(',')));
        return begin is not null && IsPossible(begin)
            ? begin
            : throw new FormatException("The text does not say what a BEGIN said.");
    }

    /// <summary>Version 1 begins with a digit, every later version with "v", its number and a colon.</summary>
    private static void RefuseOtherVersions(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (text.StartsWith('v') && colon > 0)
            throw new FormatException(
                $"The parser state is of version {Excerpt.Of(text[1..colon])}; this library reads version "
                    + $"{ParserState.TextVersion}."
            );
    }

    private static T? Guarded<T>(Func<T?> read)
        where T : class
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentOutOfRangeException)
        {
            return null; // the caller says what it is not
        }
    }

    private static string WriteAlone(ParserState state)
    {
        var (sum, position, resume) = (state.Checksum, state.Position, state.ResumePoint);
        var flags = (state.EndsWithWrite ? EndsWithWriteFlag : 0) + (state.IsOutOfOrder ? OutOfOrderFlag : 0);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{(int)state.Phase},{state.StreamOffset},{state.RecordCount},{sum.A:x},{sum.B:x},{sum.C:x},{sum.D:x},"
                + $"{state.LastWriteObject},{state.LastWriteOffset},{state.ObjectRange},"
                + $"{position?.Object},{(int?)position?.Stage},{position?.Offset},"
                + $"{resume.Object},{resume.Offset},{state.ResumeBytes},{flags}"
        );
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
            Position = ReadPosition(fields.AsSpan(10, 3)),
            ResumePoint = new ResumePoint(ReadNumber(fields[13]), ReadNumber(fields[14])),
            ResumeBytes = ReadLength(fields[15]),
            EndsWithWrite = (flags & EndsWithWriteFlag) != 0,
            IsOutOfOrder = (flags & OutOfOrderFlag) != 0,
        };
    }

    private static RecordPosition? ReadPosition(ReadOnlySpan<string> fields) =>
        fields[0].Length == 0
            ? null
            : new RecordPosition(ReadNumber(fields[0]), (RecordStage)ReadSmall(fields[1]), ReadNumber(fields[2]));

    private static SnapshotStreamInfo? ReadBegin(string[] fields)
    {
        if (fields.Length != BeginFields)
            return null;
        return new SnapshotStreamInfo
        {
            SnapshotGuid = ReadNumber(fields[0]),
            BaseGuid = ReadNumber(fields[1]),
            Type = (DatasetType)ReadSmall(fields[2]),
            Features = (StreamFeatures)ReadHex(fields[3]),
            Flags = uint.Parse(fields[4], NumberStyles.None, CultureInfo.InvariantCulture),
            CreationTime = DateTimeOffset.FromUnixTimeSeconds(
                long.Parse(fields[5], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture)
            ),
            FullSnapshotName = Encoding.UTF8.GetString(Convert.FromHexString(fields[6])),
        };
    }

    /// <summary>
    /// Whether the state can be one between the records of a plain stream. Only at the start nothing is known of BEGIN;
    /// elsewhere it may be stored separately.
    /// </summary>
    private static bool IsPossible(ParserState state) =>
        state.Phase is StreamPhase.Start or StreamPhase.Snapshot or StreamPhase.End
        && state.Position is not { Stage: > RecordStage.Spill }
        && (state.Snapshot is null || IsPossible(state.Snapshot))
        && (state.Phase != StreamPhase.Start || (state.StreamOffset == 0 && state.Snapshot is null));

    private static bool IsPossible(SnapshotStreamInfo begin) =>
        begin.Type is DatasetType.Filesystem or DatasetType.Volume;

    private static ulong ReadNumber(string text) => ulong.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

    private static long ReadLength(string text) => long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

    private static byte ReadSmall(string text) => byte.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

    private static ulong ReadHex(string text) =>
        ulong.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
