using System.Globalization;
using System.Text;

namespace Coherency.Host.Passthrough;

/// <summary>A mount that this process sees: a line of /proc/self/mountinfo (proc(5)).</summary>
/// <param name="Id">Reused once the mount is gone.</param>
/// <param name="Device">Major and minor number as they are spelled there.</param>
/// <param name="Root">Which directory of the file system is mounted.</param>
internal sealed record MountInfo(ulong Id, string Device, string Root, string MountPoint)
{
    public const string File = "/proc/self/mountinfo";

    public static IEnumerable<MountInfo> ReadAll() => System.IO.File.ReadLines(File).Select(Parse);

    public static MountInfo Parse(string line)
    {
        string[] fields = line.Split(' ');
        return new MountInfo(ulong.Parse(fields[0], CultureInfo.InvariantCulture), fields[2], Unescape(fields[3]), Unescape(fields[4]));
    }

    /// <summary>Is a path a directory's, or below it? Both are absolute and end without a slash, except the root's.</summary>
    public static bool IsWithin(string path, string directory) =>
        directory == "/" || path == directory || path.StartsWith(directory + "/", StringComparison.Ordinal);

    /// <summary>Space, tab, newline and backslash stand there as a backslash and three octal digits.</summary>
    private static string Unescape(string field)
    {
        if (!field.Contains('\\', StringComparison.Ordinal))
        {
            return field;
        }

        StringBuilder text = new();
        for (int i = 0; i < field.Length; i++)
        {
            if (field[i] == '\\' && i + 3 < field.Length)
            {
                text.Append((char)Convert.ToInt32(field.Substring(i + 1, 3), 8));
                i += 3;
            }
            else
            {
                text.Append(field[i]);
            }
        }

        return text.ToString();
    }
}
