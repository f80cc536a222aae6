namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Which record may follow which. A plain stream: BEGIN, records, END. A package: BEGIN, END, any number of plain
/// streams, END. The two ENDs of a package are written by libzfs, without GUID and <c>drr_checksum</c>: the first
/// carries the checksum of the bytes before it, the last nothing at all (lib/libzfs/libzfs_sendrecv.c,
/// send_conclusion_record). All other records are written by the kernel, which always fills in <c>drr_checksum</c>
/// (module/zfs/dmu_send.c, dump_record). zfs receive accepts zeros there as "not checked", for versions in which
/// records had no checksums of their own; this library refuses them (docs/decisions/0007-records-without-checksum.md).
/// </summary>
internal static class StreamGrammar
{
    /// <summary>Whether the phase lies between a snapshot's BEGIN and END.</summary>
    public static bool IsInSnapshot(StreamPhase phase) => phase is StreamPhase.Snapshot or StreamPhase.PackageSnapshot;

    /// <summary>
    /// Returns why a record of this type is not allowed here, as far as the header's structure tells; null if it is.
    /// </summary>
    public static RecordFault? Judge(StreamPhase phase, RecordHeader header) =>
        phase switch
        {
            StreamPhase.Start => StreamSignature.Judge(header.Raw),
            StreamPhase.PackageHeader => header.Type == RecordType.End
                ? null
                : Unexpected($"{Name(header)} stands where the END of the package's header is expected"),
            StreamPhase.Package => JudgeInPackage(header),
            _ => header.Type == RecordType.Begin
                ? Unexpected("BEGIN stands inside a snapshot's stream, which has no END yet")
                : null,
        };

    /// <summary>The phase after a record that was checked.</summary>
    public static StreamPhase Next(StreamPhase phase, RecordHeader header) =>
        (phase, header.Type) switch
        {
            (StreamPhase.Start, _) => BeginRules.IsPackage(header.AsBegin())
                ? StreamPhase.PackageHeader
                : StreamPhase.Snapshot,
            (StreamPhase.PackageHeader, _) => StreamPhase.Package,
            (StreamPhase.Package, RecordType.Begin) => StreamPhase.PackageSnapshot,
            (StreamPhase.Package, _) => StreamPhase.End,
            (StreamPhase.Snapshot, RecordType.End) => StreamPhase.End,
            (StreamPhase.PackageSnapshot, RecordType.End) => StreamPhase.Package,
            _ => phase,
        };

    /// <summary>Returns the rule that one of the two ENDs of a package breaks; null if none.</summary>
    /// <param name="header">The END record.</param>
    /// <param name="expected">The checksum it must carry.</param>
    public static RecordFault? JudgePackageEnd(RecordHeader header, Fletcher4 expected)
    {
        var found = header.AsEnd().Checksum;
        if (found != expected)
            return new(SendStreamError.ChecksumMismatch, $"END of a package has checksum {found}; expected {expected}");
        return
            header.DeclaredPayloadLength != 0
            || header.Raw[(RecordHeader.FieldsOffset + Fletcher4.Size)..].ContainsAnyExcept((byte)0)
            ? RecordFault.BadRecord("END of a package has more fields than its checksum")
            : null;
    }

    private static RecordFault? JudgeInPackage(RecordHeader header)
    {
        if (header.Type == RecordType.End)
            return null;
        if (header.Type != RecordType.Begin)
            return Unexpected($"{Name(header)} stands in a package outside a snapshot's stream");
        if (StreamSignature.Judge(header.Raw) is { } fault)
            return fault with
            {
                Error =
                    fault.Error == SendStreamError.BigEndian ? SendStreamError.BigEndian : SendStreamError.BadRecord,
            };
        return BeginRules.IsPackage(header.AsBegin()) ? Unexpected("BEGIN opens a package inside a package") : null;
    }

    private static string Name(RecordHeader header) => RecordHeader.NameOf(header.Type);

    private static RecordFault Unexpected(string reason) => new(SendStreamError.UnexpectedRecord, reason);
}
