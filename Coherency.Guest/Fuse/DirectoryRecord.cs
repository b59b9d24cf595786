using System.Runtime.InteropServices;
using System.Text;
using Coherency.Core.Fuse.Abi;

namespace Coherency.Guest.Fuse;

/// <summary>One entry of a READDIR or READDIRPLUS reply.</summary>
/// <param name="NextOffset">Position to go on from after this entry.</param>
/// <param name="Type">DT_* of dirent.h.</param>
/// <param name="Entry">The entry's lookup; null in READDIR, node id 0 where none was made.</param>
public sealed record DirectoryRecord(ulong Ino, ulong NextOffset, uint Type, byte[] NameBytes, fuse_entry_out? Entry)
{
    public string Name => Encoding.UTF8.GetString(NameBytes);

    public bool IsDotOrDotDot => NameBytes.AsSpan().SequenceEqual("."u8) || NameBytes.AsSpan().SequenceEqual(".."u8);

    /// <summary>Position to go on from after the last entry of a reply that has any; allocates nothing.</summary>
    /// <exception cref="FuseProtocolException">An entry reaches beyond the reply.</exception>
    public static ulong LastOffset(ReadOnlySpan<byte> reply, bool plus)
    {
        ulong offset = 0;
        while (reply.Length > 0)
        {
            fuse_direntplus record = ReadHeader(reply, plus, out int header);
            offset = record.dirent.off;
            reply = reply[Math.Min(PaddedLength(header, record.dirent.namelen), reply.Length)..];
        }

        return offset;
    }

    /// <exception cref="FuseProtocolException">An entry reaches beyond the reply.</exception>
    internal static List<DirectoryRecord> ParseAll(ReadOnlySpan<byte> reply, bool plus)
    {
        List<DirectoryRecord> records = [];
        while (reply.Length > 0)
        {
            records.Add(Parse(reply, plus, out int bytes));
            reply = reply[Math.Min(bytes, reply.Length)..];
        }

        return records;
    }

    private static DirectoryRecord Parse(ReadOnlySpan<byte> reply, bool plus, out int bytes)
    {
        fuse_direntplus record = ReadHeader(reply, plus, out int header);
        byte[] name = reply.Slice(header, (int)record.dirent.namelen).ToArray();
        bytes = PaddedLength(header, record.dirent.namelen);
        return new DirectoryRecord(record.dirent.ino, record.dirent.off, record.dirent.type, name, plus ? record.entry_out : null);
    }

    private static int PaddedLength(int header, uint nameLength) => (header + (int)nameLength + 7) & ~7;

    /// <summary>Reads the fixed part of an entry, <paramref name="header"/> bytes, whose name is within the reply.</summary>
    private static unsafe fuse_direntplus ReadHeader(ReadOnlySpan<byte> reply, bool plus, out int header)
    {
        header = plus ? sizeof(fuse_direntplus) : sizeof(fuse_dirent);
        if (reply.Length < header)
        {
            throw new FuseProtocolException($"{reply.Length} bytes are left for a directory entry, {header} are needed");
        }

        // SAFETY: the reply was found to have the fixed part. It is read once; the name's length is compared below.
        fuse_direntplus record = plus
            ? MemoryMarshal.Read<fuse_direntplus>(reply)
            : new fuse_direntplus { dirent = MemoryMarshal.Read<fuse_dirent>(reply) };
        if (record.dirent.namelen > (uint)(reply.Length - header))
        {
            throw new FuseProtocolException($"a name of {record.dirent.namelen} bytes reaches beyond the reply");
        }

        return record;
    }
}
