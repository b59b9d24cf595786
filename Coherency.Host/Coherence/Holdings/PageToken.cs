using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>
/// Where a list went on to its next page: a guest and a position among its records. Nothing is kept between pages. Guests come
/// in the order of their names, so that one that has gone is passed over.
/// </summary>
internal readonly record struct PageToken(string Guest, HeldPosition Position)
{
    private const string Version = "1";
    private const int CharactersMax = 1024;

    public static PageToken Start => new(string.Empty, default);

    public override string ToString()
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"{Version} {(int)Position.Phase} {Position.Number} {Guest}");
        return Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));
    }

    /// <param name="text">Null or empty for the beginning.</param>
    public static bool TryParse(string? text, out PageToken token)
    {
        token = Start;
        if (string.IsNullOrEmpty(text))
        {
            return true;
        }

        if (text.Length > CharactersMax || !Base64Url.IsValid(text))
        {
            return false;
        }

        string[] parts = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(text)).Split(' ', 4);
        if (parts.Length < 4 || parts[0] != Version
            || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int phase) || phase > (int)HeldPhase.Contents
            || !uint.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out uint number))
        {
            return false;
        }

        token = new PageToken(parts[3], new HeldPosition((HeldPhase)phase, number));
        return true;
    }
}
