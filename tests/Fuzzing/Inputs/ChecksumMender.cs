using System.Buffers.Binary;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Fuzzing.Inputs;

/// <summary>Writes the correct checksums into each record of a stream, whatever its other fields hold.</summary>
internal sealed class ChecksumMender
{
    private const int ChecksumOffset = RecordHeader.Size - Fletcher4.Size;
    private const int PackageHeader = 2;

    private Fletcher4 _sum;
    private bool _inPackage;
    private bool _inSnapshot;

    /// <summary>Corrects the next record.</summary>
    /// <param name="header">Its header, which is changed.</param>
    /// <param name="payload">What follows the header.</param>
    public void Mend(Span<byte> header, ReadOnlySpan<byte> payload)
    {
        var type = new RecordHeader(header).Type;
        if (type == RecordType.Begin)
            Begin(header);
        else if (_inSnapshot || !_inPackage)
            MendInSnapshot(header, type);
        else
            MendPackageEnd(header);
        _sum = _sum.Append(payload[..(payload.Length & ~3)]);
        if (type == RecordType.End)
            End();
    }

    private void Begin(ReadOnlySpan<byte> header)
    {
        var isPackage = new RecordHeader(header).AsBegin().HeaderType == PackageHeader;
        (_inPackage, _inSnapshot) = (_inPackage || isPackage, !isPackage);
        _sum = default(Fletcher4).Append(header);
    }

    private void MendInSnapshot(Span<byte> header, RecordType type)
    {
        if (type == RecordType.End)
            Put(header[RecordLayout.FieldsOffset..]);
        _sum = _sum.Append(header[..ChecksumOffset]);
        Put(header[ChecksumOffset..]);
        _sum = _sum.Append(header[ChecksumOffset..]);
    }

    /// <summary>END of a package's header or of the package: only the checksum, which is 0 for the latter.</summary>
    private void MendPackageEnd(Span<byte> header)
    {
        header[RecordLayout.FieldsOffset..].Clear();
        Put(header[RecordLayout.FieldsOffset..]);
    }

    private void End()
    {
        _inSnapshot = false;
        if (_inPackage)
            _sum = default;
    }

    private void Put(Span<byte> place)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(place, _sum.A);
        BinaryPrimitives.WriteUInt64LittleEndian(place[8..], _sum.B);
        BinaryPrimitives.WriteUInt64LittleEndian(place[16..], _sum.C);
        BinaryPrimitives.WriteUInt64LittleEndian(place[24..], _sum.D);
    }
}
