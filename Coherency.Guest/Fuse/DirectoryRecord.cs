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

    private static unsafe DirectoryRecord Parse(ReadOnlySpan<byte> reply, bool plus, out int bytes)
    {
        int header = plus ? sizeof(fuse_direntplus) : sizeof(fuse_dirent);
        if (reply.Length < header)
        {
            throw new FuseProtocolException($"{reply.Length} bytes are left for a directory entry, {header} are needed");
        }

        fuse_direntplus record = default;
        if (plus)
        {
            record = MemoryMarshal.Read<fuse_direntplus>(reply);
        }
        else
        {
            record.dirent = MemoryMarshal.Read<fuse_dirent>(reply);
        }

        uint nameLength = record.dirent.namelen;
        if (nameLength > (uint)(reply.Length - header))
        {
            throw new FuseProtocolException($"a name of {nameLength} bytes reaches beyond the reply");
        }

        byte[] name = reply.Slice(header, (int)nameLength).ToArray();
        bytes = (header + name.Length + 7) & ~7;
        return new DirectoryRecord(record.dirent.ino, record.dirent.off, record.dirent.type, name, plus ? record.entry_out : null);
    }
}
